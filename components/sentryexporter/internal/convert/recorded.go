// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"time"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
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

// recordedBy returns the exceptions on a span. Dify's logging handler writes `log.exception` and, directly after it,
// the exception that was logged: such a pair is one exception. It returns at most the first most exceptions, and the
// number of the others.
func recordedBy(n *tracetree.Node, most int) (out []recorded, left int) {
	var line *recorded
	if n.Scope == loggingScope && n.Span.Name() == eventLogException {
		line = logLine(n.Start, n.Span.Attributes())
	}
	for i, ev := range n.Span.Events().All() {
		if len(out) >= most {
			return out, exceptionsFrom(n.Span.Events(), i)
		}
		at := tracetree.Time(ev.Timestamp())
		if at.IsZero() {
			at = n.End
		}
		switch ev.Name() {
		case eventLogException:
			out = appendLine(out, line)
			line = logLine(at, ev.Attributes())
		case eventException:
			r := exceptionIn(ev.Attributes())
			r.at, r.level = at, sentry.LevelError
			if line != nil {
				line.typ, line.message, line.stack = r.typ, r.message, r.stack
				r, line = *line, nil
			}
			out = append(out, r)
		default:
			out, line = appendLine(out, line), nil
		}
	}
	return appendLine(out, line), 0
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

func appendLine(out []recorded, line *recorded) []recorded {
	if line == nil {
		return out
	}
	return append(out, *line)
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
