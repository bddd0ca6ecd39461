// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
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
)

// relationsOf returns how an exception of a trace is recognized in other recordings: in those of calling spans, which
// may have it as a cause or pass on its text, and in those of other emitters, which tell the same run in a trace of
// their own.
// An exception that Dify logged is an event in addition to the logged one that was raised from it, as in Sentry's SDK.
func relationsOf(trace string, logged bool, f grouping.Fault, runs []string) item.Relations {
	r := item.Relations{Text: item.NewID("failure", f.Text)}
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
