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

// walker visits every place of a batch that can have a text. TestEveryPlaceIsVisited finds new places of pdata.
type walker struct{ cleaner }

func (r *Redactor) walk(t *tally.Tally) *walker {
	return &walker{cleaner{replacer: replacer{changes{redactor: r, cache: r.caches.get(), tally: t}}}}
}

func (w *walker) end() { w.redactor.caches.put(w.cache) }

func (w *walker) traces(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		w.resource(rs.Resource(), rs.SchemaUrl(), rs.SetSchemaUrl)
		for _, ss := range rs.ScopeSpans().All() {
			w.scope(rs.Resource(), ss.Scope(), ss.SchemaUrl(), ss.SetSchemaUrl)
			for _, span := range ss.Spans().All() {
				w.span(span)
			}
		}
	}
}

func (w *walker) span(span ptrace.Span) {
	w.trace = trace{id: span.TraceID()}
	w.attributes(tally.PlaceSpan, span.Attributes())
	w.text(tally.PlaceName, span.Name(), span.SetName)
	w.text(tally.PlaceStatus, span.Status().Message(), span.Status().SetMessage)
	w.quotations("", span.Status().Message(), span.Status().SetMessage)
	w.text(tally.PlaceTraceState, span.TraceState().AsRaw(), span.TraceState().FromRaw)
	for _, event := range span.Events().All() {
		w.text(tally.PlaceName, event.Name(), event.SetName)
		w.attributes(tally.PlaceEvent, event.Attributes())
	}
	for _, link := range span.Links().All() {
		w.attributes(tally.PlaceLink, link.Attributes())
		w.text(tally.PlaceTraceState, link.TraceState().AsRaw(), link.TraceState().FromRaw)
	}
	w.mark(span.Attributes())
}

func (w *walker) logs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		w.resource(rl.Resource(), rl.SchemaUrl(), rl.SetSchemaUrl)
		for _, sl := range rl.ScopeLogs().All() {
			w.scope(rl.Resource(), sl.Scope(), sl.SchemaUrl(), sl.SetSchemaUrl)
			for _, record := range sl.LogRecords().All() {
				w.record(record)
			}
		}
	}
}

func (w *walker) record(record plog.LogRecord) {
	w.trace = trace{id: record.TraceID()}
	w.attributes(tally.PlaceRecord, record.Attributes())
	w.place = tally.PlaceBody
	w.value(&keyRule{class: message}, "", record.Body(), record.Attributes())
	w.text(tally.PlaceSeverity, record.SeverityText(), record.SetSeverityText)
	w.text(tally.PlaceName, record.EventName(), record.SetEventName)
	w.mark(record.Attributes())
}

func (w *walker) metrics(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		w.resource(rm.Resource(), rm.SchemaUrl(), rm.SetSchemaUrl)
		for _, sm := range rm.ScopeMetrics().All() {
			w.scope(rm.Resource(), sm.Scope(), sm.SchemaUrl(), sm.SetSchemaUrl)
			for _, m := range sm.Metrics().All() {
				w.metric(m)
			}
		}
	}
	w.marks = w.marks[:0] // a mark would be a label
}

// metric redacts labels too. Points that become equal are added up if possible.
func (w *walker) metric(m pmetric.Metric) {
	w.text(tally.PlaceName, m.Name(), m.SetName)
	w.text(tally.PlaceMetric, m.Description(), m.SetDescription)
	w.text(tally.PlaceMetric, m.Unit(), m.SetUnit)
	w.attributes(tally.PlaceMetric, m.Metadata())
	changed := false
	attrs.EachPointOf(m, func(p attrs.Point) {
		changed = w.attributes(tally.PlacePoint, p.Attributes()) || changed
		if carrier, ok := p.(interface{ Exemplars() pmetric.ExemplarSlice }); ok {
			for _, e := range carrier.Exemplars().All() {
				w.attributes(tally.PlaceExemplar, e.FilteredAttributes())
			}
		}
	})
	if changed && !w.redactor.set.Audit {
		w.tally.Drop(tally.RuleMergedSeries, tally.KindDataPoint, attrs.Narrow(m, nil))
	}
}

func (w *walker) resource(resource pcommon.Resource, schemaURL string, setSchemaURL func(string)) {
	w.source.enter(resource.Attributes(), "")
	w.attributes(tally.PlaceResource, resource.Attributes())
	w.text(tally.PlaceSchemaURL, schemaURL, setSchemaURL)
	w.marks = w.marks[:0] // a mark would be another resource
}

func (w *walker) scope(
	resource pcommon.Resource,
	scope pcommon.InstrumentationScope,
	schemaURL string,
	setSchemaURL func(string),
) {
	w.source.enter(resource.Attributes(), scope.Name())
	w.text(tally.PlaceScope, scope.Name(), scope.SetName)
	w.text(tally.PlaceScope, scope.Version(), scope.SetVersion)
	w.attributes(tally.PlaceScope, scope.Attributes())
	w.text(tally.PlaceSchemaURL, schemaURL, setSchemaURL)
	w.marks = w.marks[:0]
}
