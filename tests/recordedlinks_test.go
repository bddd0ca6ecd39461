// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// traceLinks are the pairs of a streaming request's trace and its run's, as the documents of both name them.
type traceLinks map[[2]string]bool

func (l traceLinks) add(hit servers.Hit) {
	trace, _, _ := strings.Cut(hit.ID, "-")
	if request := attribute(hit, "dify.request.trace_id"); request != "" {
		l[[2]string{request, trace}] = true
	}
	if run := attribute(hit, "dify.workflow_run.trace_id"); run != "" {
		l[[2]string{trace, run}] = true
	}
}

// callersOf returns the apps and users of each trace, as the spans of requests and of runs have them. A run that calls
// a workflow as a tool has two.
func callersOf(recorded map[string]recordedSpan) map[string][][2]string {
	callers := map[string][][2]string{}
	for id, span := range recorded {
		if strings.HasSuffix(span.name, "AppGenerateService.generate") || strings.HasSuffix(span.name, "AppRunner.run") {
			trace, _, _ := strings.Cut(id, "-")
			app, _ := span.attributes.Get("dify.app_id")
			user, _ := span.attributes.Get("gen_ai.user.id")
			callers[trace] = append(callers[trace], [2]string{app.Str(), user.Str()})
		}
	}
	return callers
}

// check expects that every streaming run is linked with one request, of its app and user, and no request twice.
func (l traceLinks) check(t *testing.T, callers map[string][][2]string) {
	t.Helper()
	assert.Len(t, l, 80, "streaming runs")
	requests, runs := map[string]bool{}, map[string]bool{}
	for pair := range l {
		requests[pair[0]], runs[pair[1]] = true, true
		if assert.Len(t, callers[pair[0]], 1, "%s is a request", pair[0]) {
			assert.Contains(t, callers[pair[1]], callers[pair[0]][0], "%v", pair)
		}
	}
	assert.Len(t, requests, 80)
	assert.Len(t, runs, 80)
}
