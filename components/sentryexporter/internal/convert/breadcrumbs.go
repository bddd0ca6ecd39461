// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// breadcrumbOf returns the breadcrumb of a span that has ended, in the categories of Sentry's SDK.
func breadcrumbOf(n *tracetree.Node) protocol.Breadcrumb {
	d := describe(n)
	b := protocol.Breadcrumb{
		Timestamp: n.End.UTC(), Type: "default", Category: d.op, Level: sentry.LevelInfo,
		Message: protocol.Text(d.name, protocol.MaxBreadcrumb),
	}
	attrs := n.Span.Attributes()
	switch {
	case d.op == "http.client":
		b.Type, b.Category, b.Message = "http", "httplib", ""
		b.Data = map[string]any{
			"url": protocol.URL(attr.StripURL(attr.Text(attrs, keysURL...))), "method": attr.Text(attrs, keysMethod...),
		}
		if code, ok := codeIn(attrs, keysStatus...); ok {
			b.Data["status_code"] = code
		}
	case d.op == "db.redis":
		b.Type, b.Category = "redis", "redis"
	case strings.HasPrefix(d.op, "db"):
		b.Type, b.Category = "query", "query"
	}
	if n.Span.Status().Code() == ptrace.StatusCodeError {
		b.Level = sentry.LevelError
	}
	return b
}

// breadcrumbsBefore returns breadcrumbs of the spans of a process and trace that ended before an exception, the oldest
// first. The spans around the exception have not ended then.
func breadcrumbsBefore(n *tracetree.Node, at time.Time, nodes ...[]*tracetree.Node) []protocol.Breadcrumb {
	var before []*tracetree.Node
	for _, list := range nodes {
		for _, other := range list {
			if other != n && other.Part == n.Part && !other.End.After(at) {
				before = append(before, other)
			}
		}
	}
	slices.SortStableFunc(before, func(a, b *tracetree.Node) int { return a.End.Compare(b.End) })
	var out []protocol.Breadcrumb
	for _, other := range before[max(0, len(before)-protocol.MaxBreadcrumbs):] {
		out = append(out, breadcrumbOf(other))
	}
	return out
}

// Line is the breadcrumb of a log record.
type Line struct {
	Trace string
	protocol.Breadcrumb
}

// lineOf returns the breadcrumb of a log record; false if no trace or event of its own is known.
func lineOf(rec plog.LogRecord, at time.Time, scope string) (Line, bool) {
	trace := rec.TraceID()
	if trace.IsEmpty() || attr.Text(rec.Attributes(), difysemconv.AttrEventName) != "" {
		return Line{}, false
	}
	return Line{hex.EncodeToString(trace[:]), protocol.Breadcrumb{
		Timestamp: at.UTC(), Type: "default", Level: levelOfSeverity(severityOf(rec)),
		Category: cmp.Or(attr.Text(rec.Attributes(), "log.logger", "logger"), scope, "log"),
		Message:  protocol.Text(rec.Body().AsString(), protocol.MaxBreadcrumb),
	}}, true
}

func levelOfSeverity(n plog.SeverityNumber) sentry.Level {
	switch {
	case n >= plog.SeverityNumberFatal:
		return sentry.LevelFatal
	case n >= plog.SeverityNumberError:
		return sentry.LevelError
	case n >= plog.SeverityNumberWarn:
		return sentry.LevelWarning
	case n >= plog.SeverityNumberInfo:
		return sentry.LevelInfo
	default:
		return sentry.LevelDebug
	}
}

// closeToEvent is how much later than its event a breadcrumb may be: a log line has milliseconds only.
const closeToEvent = 10 * time.Millisecond

// AddBreadcrumbs adds breadcrumbs to an event: those from before it, without its own log line.
func AddBreadcrumbs(ev *protocol.Event, more []protocol.Breadcrumb) {
	var all []protocol.Breadcrumb
	if ev.Breadcrumbs != nil {
		all = ev.Breadcrumbs.Values
	}
	for _, b := range more {
		own := ev.LogEntry != nil && strings.HasPrefix(ev.LogEntry.Message, strings.TrimSuffix(b.Message, "..."))
		if !own && !b.Timestamp.After(ev.Timestamp.Add(closeToEvent)) {
			all = append(all, b)
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(a, b protocol.Breadcrumb) int { return a.Timestamp.Compare(b.Timestamp) })
	ev.Breadcrumbs = &protocol.Values[protocol.Breadcrumb]{Values: all[max(0, len(all)-protocol.MaxBreadcrumbs):]}
}
