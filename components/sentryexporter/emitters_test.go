// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// failed is a span with an exception, as dify_filter passes it on.
func failed(trace uint64, emitter, run, node, message string) ptrace.Traces {
	p := newPush(time.Now())
	kv := []string{difysemconv.AttrWorkflowRunID, run}
	if emitter != "" {
		kv = append(kv, difysemconv.AttrEmitter, emitter)
	}
	if node != "" {
		kv = append(kv, difysemconv.AttrNodeExecutionID, node, difysemconv.AttrNodeType, "llm")
	}
	s := p.span(p.resource(), trace, trace*100+uint64(len(node)), 0, "x", ptrace.SpanKindInternal, kv...)
	if emitter == "" {
		p.exception(s, "RuntimeError", message, enginePath)
		return p.Traces
	}
	e := s.Events().AppendEmpty()
	e.SetName("exception")
	e.Attributes().PutStr("exception.type", "RuntimeError")
	e.Attributes().PutStr("exception.message", message)
	e.Attributes().PutStr("exception.stacktrace", "NoneType: None")
	return p.Traces
}

// A failure is one event, whichever emitters of Dify report it, in whatever order, and however often.
func TestOneFailureOfSeveralEmittersIsOneEvent(t *testing.T) {
	const a, e, o, agent = "otel_provider", "enterprise", "", "agent_trajectory"
	type send struct {
		trace              uint64
		from, node, reason string
	}
	for name, c := range map[string]struct {
		sent []send
		want int
	}{
		"application, enterprise, provider": {
			[]send{{1, o, "n1", "boom"}, {2, e, "n1", "boom"}, {2, e, "", "boom"}, {3, a, "", "boom"}, {3, a, "n1", "boom"}}, 1,
		},
		"provider first": {
			[]send{{3, a, "", "boom"}, {3, a, "n1", "boom"}, {1, o, "n1", "boom"}, {2, e, "", "boom"}, {2, e, "n1", "boom"}}, 1,
		},
		"sent again under new IDs": {
			[]send{{3, a, "", "boom"}, {3, a, "n1", "boom"}, {4, a, "", "boom"}, {4, a, "n1", "boom"}}, 1,
		},
		"other words of the same failure": {
			[]send{{1, o, "n1", "boom"}, {3, a, "", "run: boom"}, {3, a, "n1", "node: boom"}, {2, e, "n1", "it failed"}}, 1,
		},
		"the agent's trajectory, then its node": {
			[]send{{5, agent, "n1", ""}, {3, a, "", "agent_backend_run_failed"}, {3, a, "n1", "agent_backend_run_failed"}}, 1,
		},
		"two nodes of a run that went on": {
			[]send{{1, o, "n1", "boom"}, {1, o, "n2", "bang"}, {3, a, "n1", "boom"}, {3, a, "n2", "bang"}}, 2,
		},
		"two exceptions of one emitter on one node": {
			[]send{{1, o, "n1", "boom"}, {1, o, "n1", "bang"}}, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			h := startAt(t, r, nil, nil)
			for range 2 {
				for _, s := range c.sent {
					require.NoError(t, h.traces.ConsumeTraces(t.Context(), failed(s.trace, s.from, "r1", s.node, s.reason)))
				}
			}
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), failed(9, a, "r2", "n9", "another run")))
			h.stop(t)
			r.requireNoFaults(t)
			assert.Len(t, r.titles(t), c.want+1)
		})
	}
}
