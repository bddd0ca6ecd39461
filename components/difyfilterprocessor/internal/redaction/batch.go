// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// batch redacts one batch: it finds the texts and attributes that its cleaner redacts.
type batch struct {
	redactor *Redactor
	cleaner  cleaner
}

func (r *Redactor) begin(t *tally.Tally) *batch {
	return &batch{
		redactor: r,
		cleaner:  cleaner{set: &r.set, keys: r.keys, scrubber: &r.scrubber, cache: r.caches.get(), tally: t},
	}
}

func (b *batch) end() { b.redactor.caches.put(b.cleaner.cache) }

func (b *batch) spans(ss ptrace.ScopeSpans) {
	b.scope(ss.Scope())
	b.cleaner.text(ss.SchemaUrl(), ss.SetSchemaUrl)
	for _, span := range ss.Spans().All() {
		b.cleaner.attributes(span.Attributes())
		b.cleaner.text(span.Name(), span.SetName)
		b.cleaner.message(span.Status().Message(), span.Status().SetMessage)
		for _, event := range span.Events().All() {
			b.cleaner.text(event.Name(), event.SetName)
			b.cleaner.attributes(event.Attributes())
		}
		for _, link := range span.Links().All() {
			b.cleaner.attributes(link.Attributes())
			b.cleaner.text(link.TraceState().AsRaw(), link.TraceState().FromRaw)
		}
		b.cleaner.text(span.TraceState().AsRaw(), span.TraceState().FromRaw)
	}
}

func (b *batch) records(sl plog.ScopeLogs) {
	b.scope(sl.Scope())
	b.cleaner.text(sl.SchemaUrl(), sl.SetSchemaUrl)
	for _, record := range sl.LogRecords().All() {
		b.cleaner.attributes(record.Attributes())
		b.body(record.Body())
		b.cleaner.text(record.EventName(), record.SetEventName)
	}
}

// metrics redacts labels too. Points that become equal are added up if possible.
func (b *batch) metrics(rm pmetric.ResourceMetrics) {
	b.cleaner.attributes(rm.Resource().Attributes())
	b.cleaner.text(rm.SchemaUrl(), rm.SetSchemaUrl)
	for _, sm := range rm.ScopeMetrics().All() {
		b.scope(sm.Scope())
		b.cleaner.text(sm.SchemaUrl(), sm.SetSchemaUrl)
		for _, m := range sm.Metrics().All() {
			b.cleaner.text(m.Description(), m.SetDescription)
			changed := false
			attrs.EachPointOf(m, func(p attrs.Point) {
				changed = b.cleaner.attributes(p.Attributes()) || changed
				b.exemplars(p)
			})
			if changed {
				b.cleaner.tally.Drop(tally.RuleMergedSeries, tally.KindDataPoint, attrs.Narrow(m, nil))
			}
		}
	}
}

func (b *batch) exemplars(p attrs.Point) {
	carrier, ok := p.(interface{ Exemplars() pmetric.ExemplarSlice })
	if !ok {
		return
	}
	for _, e := range carrier.Exemplars().All() {
		b.cleaner.attributes(e.FilteredAttributes())
	}
}

func (b *batch) scope(scope pcommon.InstrumentationScope) {
	b.cleaner.text(scope.Name(), scope.SetName)
	b.cleaner.text(scope.Version(), scope.SetVersion)
	b.cleaner.attributes(scope.Attributes())
}

// body redacts the body of a record: a string as a message, a map or slice like attributes.
func (b *batch) body(v pcommon.Value) {
	if v.Type() == pcommon.ValueTypeStr {
		b.cleaner.message(v.Str(), v.SetStr)
	}
	b.cleaner.value("", v)
}
