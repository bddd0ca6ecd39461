// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package convert makes Sentry's events, transactions and logs of OpenTelemetry's spans and log records. It is pure: it
// returns items and discards, and neither remembers nor counts nor sends anything. It does not know HTTP.
package convert

import (
	"github.com/getsentry/sentry-go"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// Settings are the settings of a Converter.
type Settings struct {
	// SDK names this exporter and its version in events and logs.
	SDK sentry.SdkInfo
	// SampleRate and TracesSampleRate are the fractions of traces whose errors and transactions are sent.
	SampleRate, TracesSampleRate float64
	// IgnoreErrors are the exception classes that are discarded, with their known subclasses.
	IgnoreErrors []string
	// ClientRoots makes transactions of calls below no request, task or run; see Converter.ClientRoot.
	ClientRoots bool
	// Links are the templates of the URLs in error events.
	Links Links
	// MinSeverity is the name of the lowest severity of the log records that become Sentry logs; see Severities.
	MinSeverity string
}

// Converter converts telemetry. It is safe for concurrent use.
type Converter struct {
	Settings

	ignored *difysemconv.ErrorClasses
}

// New returns a converter.
func New(set Settings) *Converter {
	return &Converter{Settings: set, ignored: difysemconv.NewErrorClasses(set.IgnoreErrors)}
}

// Result is what telemetry became.
type Result struct {
	Events  []*item.Item // error events
	Waiting []*item.Item // error events that other telemetry may supersede; see item.Item.Waits
	Items   []*item.Item // transactions or logs
	// Superseded are workflow runs whose exception is not sent because of SampleRate. Their failed-run events must not be
	// sent in its place.
	Superseded []string
	Discards   []item.Discard
}

// Add appends the content of another result.
func (r *Result) Add(other Result) {
	r.Events = append(r.Events, other.Events...)
	r.Waiting = append(r.Waiting, other.Waiting...)
	r.Items = append(r.Items, other.Items...)
	r.Superseded = append(r.Superseded, other.Superseded...)
	r.Discards = append(r.Discards, other.Discards...)
}

// Discard adds a discard, if there is something to discard.
func (r *Result) Discard(reason item.Reason, route item.Route, category protocol.Category, n int) {
	if n <= 0 {
		return
	}
	d := item.Discard{Reason: reason, Route: route, Category: category, Quantity: n}
	if last := len(r.Discards) - 1; last >= 0 { // many of a kind come in a row
		sum := r.Discards[last].Quantity + n
		r.Discards[last].Quantity = n
		if r.Discards[last] == d {
			r.Discards[last].Quantity = sum
			return
		}
		r.Discards[last].Quantity = sum - n
	}
	r.Discards = append(r.Discards, d)
}
