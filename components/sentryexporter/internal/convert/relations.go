// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/grouping"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// Kinds of relation.
const (
	relationException = "exception" // the ID of the event itself
	relationIncluded  = "included"  // an exception that an event has as a cause
	relationText      = "text"      // the text of an event, which an exception that passes it on has too
	relationPassedOn  = "passed on" // the text of an event that passes a failure on
	relationRun       = "run"       // the failure of a workflow run, in whatever trace
	relationRedacted  = "redacted"  // when and where an exception was logged from whose text content was removed
	relationWhole     = "whole"     // and one whose text is whole
)

// relationsOf returns how an exception of a trace is recognized in other recordings: in those of calling spans, which
// may have it as a cause or pass on its text, and in those of other emitters, which tell the same run in a trace of
// their own.
// An exception that Dify logged is an event in addition to the logged one that was raised from it, as in Sentry's SDK.
func relationsOf(trace string, what recorded, f grouping.Fault, runs []string) item.Relations {
	r := item.Relations{Text: item.NewID("failure", f.Text)}
	logged := what.logged
	if logged {
		relateRedacted(&r, trace, what.at, f)
	}
	if !logged {
		r.Checks = append(r.Checks, keyID(relationIncluded, trace, f.Key))
	}
	for _, key := range causes(f) {
		if !logged {
			r.Checks = append(r.Checks, keyID(relationException, trace, key))
		}
		r.Marks = append(r.Marks, keyID(relationIncluded, trace, key))
	}
	for _, run := range runs {
		id := keyID(relationRun, run, f.Key)
		r.Checks, r.Marks = append(r.Checks, id), append(r.Marks, id)
	}
	if f.Text == "" {
		return r
	}
	text, passedOn := item.NewID(relationText, trace, f.Text), item.NewID(relationPassedOn, trace, f.Text)
	if f.PassedOn {
		r.Checks, r.Marks = append(r.Checks, text), append(r.Marks, passedOn)
	} else {
		r.Checks, r.Marks = append(r.Checks, passedOn), append(r.Marks, text)
	}
	return r
}

// TraceID returns the ID of a trace as item.Relations has it.
func TraceID(trace string) item.ID { return item.NewID("in trace", trace) }

// setTrace notes that a trace has an error.
func setTrace(r *item.Relations, trace string) {
	r.Trace = TraceID(trace)
	r.Marks = append(r.Marks, r.Trace)
}

// redactionMark is what dify_filter writes for content in a text. It knows the content of a span's run, not that of a
// log line.
const redactionMark = "***"

// logDelay bounds the time from a log line to the event that Dify's logging handler adds to the span.
const logDelay = 32 * time.Millisecond

// relateRedacted relates the recordings of a logged exception of which one has a redacted text: by class, place and
// time.
func relateRedacted(r *item.Relations, trace string, at time.Time, f grouping.Fault) {
	_, class := f.Exception.Class()
	key := append([]string{class}, grouping.Place(f.Exception)...)
	id := func(kind string, at time.Time) item.ID {
		return keyID(kind, trace, append(key, strconv.FormatInt(at.UnixNano()/int64(logDelay), 10)))
	}
	own, other := relationWhole, relationRedacted
	if strings.Contains(f.Exception.Message, redactionMark) {
		own, other = other, own
	}
	for _, at := range []time.Time{at.Add(-logDelay), at, at.Add(logDelay)} {
		r.Checks = append(r.Checks, id(other, at))
	}
	r.Marks = append(r.Marks, id(own, at))
}

// causes returns the keys of the exceptions from which an exception was raised.
func causes(f grouping.Fault) (keys [][]string) {
	for e := f.Exception.Cause; e != nil && len(keys) < maxExceptions; e = e.Cause {
		keys = append(keys, grouping.Of(e).Key)
	}
	return keys
}

// hasCause reports whether an exception has causes of its own.
func hasCause(exc *stacktrace.Exception) bool {
	return exc.Cause != nil || len(exc.Members) > 0 || len(exc.Suppressed) > 0
}
