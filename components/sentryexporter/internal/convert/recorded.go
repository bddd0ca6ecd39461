// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// recorded is a recording of an exception: a span event, a pair of span events, or a log record.
type recorded struct {
	at                         time.Time
	typ, message, stack        string
	logged                     bool // by Python's logging, whose log line the next fields have
	level                      sentry.Level
	logger, logMessage, source string
	scope                      string // of the span
}

const (
	eventException    = "exception"
	eventLogException = "log.exception"
	// loggingScope is the tracer of Dify 1.3.1 to 1.11.2, which created a span for each logged exception.
	loggingScope = "dify.exception.logging"
)

// recordedBy returns the exceptions on a span. Dify's logging handler writes `log.exception` next to the exception that
// was logged: such a pair is one exception. The line precedes the exception, but spans of Dify 1.3.1 to 1.11.2, whose
// line dify_filter adds, and other writers have it after. It returns at most the first most exceptions, and the number
// of the others.
func recordedBy(n *tracetree.Node, most int) (out []recorded, left int) {
	p := pairs{}
	if n.Scope == loggingScope && n.Span.Name() == eventLogException {
		line := logLine(n.Start, n.Span.Attributes())
		if line.logger+line.logMessage != "" || n.Span.Events().Len() == 0 { // else dify_filter moved it to an event
			p.line = line
		}
	}
	for i, ev := range n.Span.Events().All() {
		if len(p.out) >= most {
			return p.out, exceptionsFrom(n.Span.Events(), i)
		}
		at := tracetree.Time(ev.Timestamp())
		if at.IsZero() {
			at = n.End
		}
		switch ev.Name() {
		case eventLogException:
			p.endLine()
			p.line = logLine(at, ev.Attributes())
		case eventException:
			r := exceptionIn(ev.Attributes())
			r.at, r.level = at, sentry.LevelError
			p.exception(r)
		default:
			p.endLine()
			p.alone = false
		}
	}
	p.endLine()
	return p.out, 0
}

// exceptionsFrom returns the number of exceptions from an event on; a logged one may count twice.
func exceptionsFrom(events ptrace.SpanEventSlice, from int) (n int) {
	for i := from; i < events.Len(); i++ {
		if name := events.At(i).Name(); name == eventException || name == eventLogException {
			n++
		}
	}
	return n
}

// pairs joins log lines with the exceptions next to them.
type pairs struct {
	out   []recorded
	line  *recorded // the last event, whose exception may follow
	alone bool      // the last of out is an exception without a line
}

func (p *pairs) exception(r recorded) {
	if p.line != nil && p.line.describes(r) {
		p.out, p.line, p.alone = append(p.out, p.line.with(r)), nil, false
		return
	}
	p.endLine()
	p.out, p.alone = append(p.out, r), true
}

// endLine adds a line that no exception followed: to the exception before it, or as an exception without one.
func (p *pairs) endLine() {
	if p.line == nil {
		return
	}
	if last := len(p.out) - 1; p.alone && p.line.describes(p.out[last]) {
		p.out[last] = p.line.with(p.out[last])
	} else {
		p.out = append(p.out, *p.line)
	}
	p.line, p.alone = nil, false
}

// describes reports whether a log line can be that of an exception: it has no other class or message.
func (r *recorded) describes(exc recorded) bool {
	_, own := stacktrace.SplitType(r.typ)
	_, other := stacktrace.SplitType(exc.typ)
	return (own == "" || other == "" || own == other) &&
		(r.message == "" || exc.message == "" || strings.TrimSpace(r.message) == strings.TrimSpace(exc.message))
}

// with returns a log line with the exception that was logged.
func (r *recorded) with(exc recorded) recorded {
	out := *r
	out.typ, out.message = cmp.Or(exc.typ, r.typ), cmp.Or(exc.message, r.message)
	out.stack = cmp.Or(exc.stack, r.stack)
	return out
}

// logLine returns a logged exception. Versions of Dify before 1.11.3 write its type and message into the same event.
func logLine(at time.Time, attrs pcommon.Map) *recorded {
	r := exceptionIn(attrs)
	r.at, r.logged = at, true
	r.level = levelOf(attr.Text(attrs, "log.level"))
	r.logger, r.logMessage = attr.Text(attrs, "log.logger"), attr.Text(attrs, "log.message")
	if file := attr.Text(attrs, "log.file.path"); file != "" {
		r.source = file + ":" + attr.Text(attrs, "log.file.line")
	}
	return &r
}

func exceptionIn(attrs pcommon.Map) recorded {
	return recorded{
		typ: attr.Text(
			attrs,
			"exception.type",
		), message: attr.Text(attrs, "exception.message"), stack: attr.Text(attrs, "exception.stacktrace"),
	}
}

// levelOf returns the level for Python's name of it.
func levelOf(name string) sentry.Level {
	switch name {
	case "DEBUG":
		return sentry.LevelDebug
	case "INFO":
		return sentry.LevelInfo
	case "WARNING", "WARN":
		return sentry.LevelWarning
	case "CRITICAL", "FATAL":
		return sentry.LevelFatal
	default:
		return sentry.LevelError
	}
}

// recordedIn returns the exception of an error log record.
func recordedIn(rec plog.LogRecord, at time.Time) (recorded, bool) {
	r := exceptionIn(rec.Attributes())
	if r.typ == "" && r.message == "" && r.stack == "" {
		return recorded{}, false
	}
	if number, stated := statedSeverity(rec); stated && number < plog.SeverityNumberError {
		return recorded{}, false
	}
	r.at, r.logged, r.level = at, true, sentry.LevelError
	if severityOf(rec) >= plog.SeverityNumberFatal {
		r.level = sentry.LevelFatal
	}
	r.logMessage = rec.Body().AsString()
	return r, true
}
