// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const streamUser = "20f01e9d-9721-422c-85cc-bfb95f165002"

// streamed returns the exports of a streaming request, trace 1, and of its run, trace 2, whose task starts later by
// gap.
func streamed(user string, gap time.Duration) (api, worker ptrace.Traces) {
	who := kv{"dify.streaming": true, "gen_ai.user.id": user}
	ask := generate(3)
	task := spanSpec{
		id: 11, trace: 2, scope: emitter.ScopeCelery, kind: producerSpan,
		name: "apply_async/tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task",
	}
	run := runner(12, 11, appA, workflowA)
	run.trace = 2
	for key, value := range who {
		ask.kv[key], run.kv[key] = value, value
	}
	api, worker = batchOf(difyProcess(1), ask, task), batchOf(difyProcess(2), run)
	ended := pcommon.NewTimestampFromTime(time.Unix(harnessStart, 0))
	byID(api, 3).SetEndTimestamp(ended)
	byID(api, 11).SetStartTimestamp(ended + pcommon.Timestamp(gap))
	return api, worker
}

// linkOf returns the trace to which a span leads, by its attribute and by its link.
func linkOf(t *testing.T, span ptrace.Span, key string) string {
	t.Helper()
	trace := attrs.Text(span.Attributes(), key)
	if trace == "" {
		assert.Zero(t, span.Links().Len())
		return ""
	}
	require.Equal(t, 1, span.Links().Len())
	assert.Equal(t, trace, span.Links().At(0).TraceID().String())
	return trace
}

const requestKey, runKey = difysemconv.AttrRequestTraceID, difysemconv.AttrRunTraceID

func TestStreamingRequestAndRunAreLinked(t *testing.T) {
	api, worker := streamed(streamUser, 50*time.Millisecond)
	request, run := byID(api, 3).TraceID().String(), byID(worker, 12).TraceID().String()
	t.Run("one batch", func(t *testing.T) {
		td := copyTraces(worker)
		copyTraces(api).ResourceSpans().MoveAndAppendTo(td.ResourceSpans())
		b := newHarness(t)
		for range 2 { // behind Kafka
			td = b.traces(t, copyTraces(td))
			assert.Equal(t, request, linkOf(t, byID(td, 12).Span, requestKey))
			assert.Equal(t, run, linkOf(t, byID(td, 3).Span, runKey))
		}
	})
	t.Run("the run comes last", func(t *testing.T) {
		b := newHarness(t)
		assert.Empty(t, linkOf(t, byID(b.traces(t, copyTraces(api)), 3).Span, runKey))
		assert.Equal(t, request, linkOf(t, byID(b.traces(t, copyTraces(worker)), 12).Span, requestKey))
	})
	t.Run("the request comes last", func(t *testing.T) {
		b := newHarness(t)
		assert.Empty(t, linkOf(t, byID(b.traces(t, copyTraces(worker)), 12).Span, requestKey))
		assert.Equal(t, run, linkOf(t, byID(b.traces(t, copyTraces(api)), 3).Span, runKey))
	})
	t.Run("the start of the task comes last", func(t *testing.T) {
		b := newHarness(t)
		without := copyTraces(api)
		without.ResourceSpans().At(0).ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			return ss.Scope().Name() == emitter.ScopeCelery
		})
		b.traces(t, without)
		b.traces(t, copyTraces(worker))
		start := copyTraces(api)
		start.ResourceSpans().At(0).ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			return ss.Scope().Name() != emitter.ScopeCelery
		})
		assert.Equal(t, request, linkOf(t, byID(b.traces(t, start), 11).Span, requestKey))
	})
	for name, change := range map[string]struct {
		user string
		gap  time.Duration
	}{
		"another user": {"93f01e9d-9721-422c-85cc-bfb95f165003", 50 * time.Millisecond},
		"too late":     {streamUser, 2 * time.Second},
		"too early":    {streamUser, -time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			other, _ := streamed(change.user, change.gap)
			b := newHarness(t)
			b.traces(t, other)
			assert.Empty(t, linkOf(t, byID(b.traces(t, copyTraces(worker)), 12).Span, requestKey))
		})
	}
	t.Run("two that can be it", func(t *testing.T) {
		b := newHarness(t)
		second := copyTraces(api)
		byID(second, 3).SetTraceID(pcommon.TraceID{9})
		b.traces(t, second)
		b.traces(t, copyTraces(api))
		assert.Empty(t, linkOf(t, byID(b.traces(t, copyTraces(worker)), 12).Span, requestKey))
	})
	t.Run("each trace alone", func(t *testing.T) {
		for _, change := range []func(*Config){
			func(cfg *Config) { cfg.Memory.MaxProcesses = 0 }, func(cfg *Config) { cfg.WholeTraces = false },
		} {
			b := newHarness(t, change)
			b.traces(t, copyTraces(api))
			assert.Empty(t, linkOf(t, byID(b.traces(t, copyTraces(worker)), 12).Span, requestKey))
		}
	})
}
