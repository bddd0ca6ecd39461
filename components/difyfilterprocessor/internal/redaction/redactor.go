// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package redaction removes content and secrets from traces, metrics and logs: content by the keys of attributes, by
// the meaning of statements and URLs, and where messages quote it; secrets by their shape or by the word before them.
//
// The tables of keys, shapes and names say what is removed; the walker says where.
package redaction

import (
	"regexp"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction/quotation"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// AttrAudit is the attribute that lists what would change in a span or record with Settings.Audit.
const AttrAudit = "dify.redaction.audit"

// Settings of a Redactor.
type Settings struct {
	// Audit counts and marks what would change instead of changing it.
	Audit bool
	// Keys maps an attribute key, or a prefix that ends in *, to an action. It extends and overrides the table.
	Keys map[string]string
	// KeepUnknown keeps unknown content of Dify and of GenAI libraries.
	KeepUnknown bool
	// UserIDs is what happens to the IDs of users that are not UUIDs: ActionHash, ActionKeep or ActionDrop.
	UserIDs string
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
	// Written has what users and models wrote in recent traces, which error texts may quote. Redactors of spans and of
	// log records share it. By default, it is empty.
	Written *quotation.Memory
	// CapabilityPaths are further paths of URLs that a secret code follows.
	CapabilityPaths []string
	// Report is called for each change, if it is set.
	Report func(by tally.Reason, in tally.Place, key string)
}

// Redactor redacts content and secrets. Redacting data a second time changes nothing. It is safe for concurrent use.
type Redactor struct {
	set    Settings
	keys   *keyRules
	paths  [256][]string // of capability URLs, by the byte after the slash
	caches cachePool
}

// NewRedactor returns a redactor.
func NewRedactor(set Settings) *Redactor {
	if set.Written == nil {
		set.Written = quotation.NewMemory()
	}
	return &Redactor{set: set, keys: newKeyRules(set.Keys), paths: pathsByByte(set.CapabilityPaths)}
}

// Traces redacts td and counts in t.
func (r *Redactor) Traces(td ptrace.Traces, t *tally.Tally) {
	w := r.walk(t)
	defer w.end()
	w.remember(td)
	w.traces(td)
}

// Metrics redacts md and counts in t. Points that become equal are added up if possible, and counted as dropped.
func (r *Redactor) Metrics(md pmetric.Metrics, t *tally.Tally) {
	w := r.walk(t)
	defer w.end()
	w.metrics(md)
}

// Logs redacts ld and counts in t.
func (r *Redactor) Logs(ld plog.Logs, t *tally.Tally) {
	w := r.walk(t)
	defer w.end()
	w.logs(ld)
}
