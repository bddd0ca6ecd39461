// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const (
	libraryPath = "/app/api/.venv/lib/python3.12/site-packages/graphon/graph_engine/graph_engine.py"
	appPath     = "/app/api/core/workflow/workflow_entry.py"
)

func TestGroupingDoesNotDependOnThePlace(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	spans := p.resource()
	p.span(spans, 1, 1, 0, "http-request", ptrace.SpanKindInternal, difysemconv.AttrNodeType, "http-request")
	p.exception(p.span(spans, 1, 2, 1, "call", ptrace.SpanKindInternal), "httpx.ConnectError", "refused", libraryPath)
	task := p.span(spans, 2, 3, 0, "run/x", ptrace.SpanKindConsumer, "celery.task_name", "tasks.x")
	p.exception(task, "billiard.exceptions.SoftTimeLimitExceeded", "()", "/app/api/tasks/x.py")
	server := p.request(spans, 3, 4)
	p.exception(p.span(spans, 4, 5, 6, "GET", ptrace.SpanKindClient), "redis.exceptions.TimeoutError", "late", libraryPath)
	p.exception(server, "KeyError", "'k'", appPath)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	h.stop(t)
	r.requireNoFaults(t)
	var got []string
	for _, ev := range r.payloads(t, "event") {
		got = append(got, fmt.Sprint(at(t, ev, "exception", "values", -1, "type"), " ", ev["fingerprint"]))
	}
	slices.Sort(got)
	assert.Equal(t, []string{
		"ConnectError <nil>",
		"KeyError <nil>",
		"SoftTimeLimitExceeded [celery SoftTimeLimitExceeded tasks.x]",
		"TimeoutError [TimeoutError late]",
	}, got)
}
