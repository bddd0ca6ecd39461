// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Settings of a Limiter. All maximums are greater than 0.
type Settings struct {
	// MaxStringLength is the maximum length of a string or bytes value, in bytes.
	MaxStringLength int
	// MaxItemSize is the maximum size of all strings and attributes of a span, a log record or a resource, in bytes.
	MaxItemSize int
	// MaxPointSize is the same for a data point, and for the resource of metrics.
	MaxPointSize int
	// MaxDepth is the maximum number of maps and slices within each other.
	MaxDepth int
	// MaxAttributes is the maximum number of entries of a map.
	MaxAttributes int
	// MaxEvents is the maximum number of events of a span.
	MaxEvents int
	// MaxLinks is the maximum number of links of a span.
	MaxLinks int
	// MaxBuckets is the maximum number of buckets, quantiles and exemplars of a data point, each.
	MaxBuckets int
	// PrometheusNames repairs or drops what the Prometheus exporter can't name.
	PrometheusNames bool
	// ConvertExponential converts exponential histograms to explicit buckets.
	ConvertExponential bool
	// Whole reports whether the string value of a key is not cut, since a later pass reads and then removes it.
	Whole func(key string) bool
}

// Limiter applies the limits. It is safe for concurrent use.
type Limiter struct{ set Settings }

// NewLimiter returns a limiter.
func NewLimiter(set Settings) *Limiter { return &Limiter{set: set} }

// Traces limits td and counts in t.
func (l *Limiter) Traces(td ptrace.Traces, t *tally.Tally) {
	c := &cutter{set: &l.set, tally: t}
	for _, rs := range td.ResourceSpans().All() {
		c.begin(rs.Resource().Attributes(), l.set.MaxItemSize)
		c.attributes(rs.Resource().Attributes())
		c.text(rs.SchemaUrl(), rs.SetSchemaUrl)
		for _, ss := range rs.ScopeSpans().All() {
			c.scope(ss.Scope(), ss.SchemaUrl(), ss.SetSchemaUrl)
		}
		c.mark(rs.Resource().Attributes())
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				c.begin(span.Attributes(), l.set.MaxItemSize)
				c.span(span)
				c.mark(span.Attributes())
			}
		}
	}
}

// Logs limits ld and counts in t.
func (l *Limiter) Logs(ld plog.Logs, t *tally.Tally) {
	c := &cutter{set: &l.set, tally: t}
	for _, rl := range ld.ResourceLogs().All() {
		c.begin(rl.Resource().Attributes(), l.set.MaxItemSize)
		c.attributes(rl.Resource().Attributes())
		c.text(rl.SchemaUrl(), rl.SetSchemaUrl)
		for _, sl := range rl.ScopeLogs().All() {
			c.scope(sl.Scope(), sl.SchemaUrl(), sl.SetSchemaUrl)
		}
		c.mark(rl.Resource().Attributes())
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				c.begin(record.Attributes(), l.set.MaxItemSize)
				c.record(record)
				c.mark(record.Attributes())
			}
		}
	}
}

func (c *cutter) span(span ptrace.Span) {
	if n := c.attributes(span.Attributes()); n > 0 {
		span.SetDroppedAttributesCount(span.DroppedAttributesCount() + uint32(n)) //nolint:gosec // bounded by the request
	}
	c.text(span.Name(), span.SetName)
	c.text(span.Status().Message(), span.Status().SetMessage)
	c.text(span.TraceState().AsRaw(), span.TraceState().FromRaw)
	if n := c.events(span.Events()); n > 0 {
		span.SetDroppedEventsCount(span.DroppedEventsCount() + uint32(n)) //nolint:gosec // bounded by the request
		c.tally.Drop(tally.LimitEvents.String(), tally.KindEvent, n)
	}
	if n := c.links(span.Links()); n > 0 {
		span.SetDroppedLinksCount(span.DroppedLinksCount() + uint32(n)) //nolint:gosec // bounded by the request
	}
}

// events keeps the first events, as long as the span has room, and returns the number of the others.
func (c *cutter) events(events ptrace.SpanEventSlice) int {
	keep := 0
	for _, event := range events.All() {
		if keep == c.set.MaxEvents || c.full() {
			break
		}
		keep++
		c.left -= valueSize
		c.text(event.Name(), event.SetName)
		if n := c.attributes(event.Attributes()); n > 0 {
			event.SetDroppedAttributesCount(event.DroppedAttributesCount() + uint32(n)) //nolint:gosec // bounded by the request
		}
	}
	dropped := events.Len() - keep
	if dropped > 0 {
		i := 0
		events.RemoveIf(func(ptrace.SpanEvent) bool { i++; return i > keep })
		c.cut(tally.LimitEvents, dropped)
	}
	return dropped
}

// links keeps the first links, as long as the span has room, and returns the number of the others.
func (c *cutter) links(links ptrace.SpanLinkSlice) int {
	keep := 0
	for _, link := range links.All() {
		if keep == c.set.MaxLinks || c.full() {
			break
		}
		keep++
		c.left -= valueSize
		c.text(link.TraceState().AsRaw(), link.TraceState().FromRaw)
		if n := c.attributes(link.Attributes()); n > 0 {
			link.SetDroppedAttributesCount(link.DroppedAttributesCount() + uint32(n)) //nolint:gosec // bounded by the request
		}
	}
	dropped := links.Len() - keep
	if dropped > 0 {
		i := 0
		links.RemoveIf(func(ptrace.SpanLink) bool { i++; return i > keep })
		c.cut(tally.LimitLinks, dropped)
	}
	return dropped
}

func (c *cutter) record(record plog.LogRecord) {
	if n := c.attributes(record.Attributes()); n > 0 {
		record.SetDroppedAttributesCount(record.DroppedAttributesCount() + uint32(n)) //nolint:gosec // bounded by the request
	}
	c.value("", record.Body(), 0)
	c.text(record.SeverityText(), record.SetSeverityText)
	c.text(record.EventName(), record.SetEventName)
}

// scope is part of the item of its resource.
func (c *cutter) scope(scope pcommon.InstrumentationScope, schema string, setSchema func(string)) {
	c.text(schema, setSchema)
	c.text(scope.Name(), scope.SetName)
	c.text(scope.Version(), scope.SetVersion)
	if n := c.attributes(scope.Attributes()); n > 0 {
		scope.SetDroppedAttributesCount(scope.DroppedAttributesCount() + uint32(n)) //nolint:gosec // bounded by the request
	}
}

// mark names the limits that applied to the item since begin, in addition to earlier ones.
func (c *cutter) mark(attributes pcommon.Map) {
	if c.applied == 0 {
		return
	}
	v, found := attributes.GetOrPutEmpty(difysemconv.AttrLimited)
	if found && v.Type() == pcommon.ValueTypeStr {
		c.applied |= tally.ParseLimits(v.Str())
	}
	v.SetStr(c.applied.String())
}
