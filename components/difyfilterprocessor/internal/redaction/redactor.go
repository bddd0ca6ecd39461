// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package redaction removes content and secrets from traces, metrics and logs: content by the keys of attributes, by
// the meaning of statements and URLs, and where messages quote it; secrets by their shape or by the word before them.
package redaction

import (
	"regexp"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// Settings of a Redactor.
type Settings struct {
	// Keys maps an attribute key, or a prefix that ends in *, to an action. It extends and overrides the defaults.
	Keys map[string]string
	// TruncateTo is the length in bytes to which ActionTruncate shortens a value.
	TruncateTo int
	// HashKey turns ActionHash into an HMAC, unless it is empty.
	HashKey string
	// SQL replaces literals in statements with ?.
	SQL bool
	// URLQueries removes the query from URL attributes.
	URLQueries bool
	// Messages removes content that messages quote.
	Messages bool
	// Secrets scrubs secrets from every text.
	Secrets bool
	// SecretPatterns are further patterns of secrets.
	SecretPatterns []*regexp.Regexp
}

// Redactor redacts content and secrets. Redacting data a second time changes nothing. It is safe for concurrent use.
type Redactor struct {
	set      Settings
	keys     *keyRules
	scrubber scrubber
	caches   cachePool
}

// NewRedactor returns a redactor.
func NewRedactor(set Settings) *Redactor {
	return &Redactor{set: set, keys: newKeyRules(set.Keys), scrubber: scrubber{patterns: set.SecretPatterns}}
}

// Traces redacts td and counts in t.
func (r *Redactor) Traces(td ptrace.Traces, t *tally.Tally) {
	b := r.begin(t)
	defer b.end()
	for _, rs := range td.ResourceSpans().All() {
		b.cleaner.attributes(rs.Resource().Attributes())
		b.cleaner.text(rs.SchemaUrl(), rs.SetSchemaUrl)
		for _, ss := range rs.ScopeSpans().All() {
			b.spans(ss)
		}
	}
}

// Metrics redacts md and counts in t. Points that become equal are added up if possible, and counted as dropped.
func (r *Redactor) Metrics(md pmetric.Metrics, t *tally.Tally) {
	b := r.begin(t)
	defer b.end()
	for _, rm := range md.ResourceMetrics().All() {
		b.metrics(rm)
	}
}

// Logs redacts ld and counts in t.
func (r *Redactor) Logs(ld plog.Logs, t *tally.Tally) {
	b := r.begin(t)
	defer b.end()
	for _, rl := range ld.ResourceLogs().All() {
		b.cleaner.attributes(rl.Resource().Attributes())
		b.cleaner.text(rl.SchemaUrl(), rl.SetSchemaUrl)
		for _, sl := range rl.ScopeLogs().All() {
			b.records(sl)
		}
	}
}
