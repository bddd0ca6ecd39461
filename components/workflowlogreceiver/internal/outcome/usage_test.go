// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestAddUsage(t *testing.T) {
	for name, test := range map[string]struct {
		kind, metadata string
		want           Usage
		unreadable     int
	}{
		"number": {
			"llm", `{"total_tokens": 12, "total_price": 0.5, "currency": "USD"}`,
			Usage{Total: 12, Reported: true, Prices: []Price{{"USD", 0.5}}},
			0,
		},
		"string": {
			"agent", `{"total_tokens": "12", "total_price": "0.50", "currency": "RMB"}`,
			Usage{Total: 12, Reported: true, Prices: []Price{{"RMB", 0.5}}},
			0,
		},
		"null": {"llm", `{"total_tokens": 0, "total_price": null, "currency": null}`, Usage{Reported: true}, 0},
		"free text": {
			"llm", `{"total_tokens": 1, "total_price": 1, "currency": "my money"}`,
			Usage{Total: 1, Reported: true, Prices: []Price{{Other, 1}}},
			0,
		},
		"negative": {"llm", `{"total_tokens": -1, "total_price": -1, "currency": "USD"}`, Usage{Reported: true}, 0},
		"nonsense": {
			"llm", `{"total_tokens": 1, "total_price": 1e300, "currency": "USD"}`,
			Usage{Total: 1, Reported: true},
			0,
		},
		"iteration": {"iteration", `{"total_tokens": 5, "total_price": 1, "currency": "USD"}`, Usage{Reported: true}, 0},
		"workflow as tool": {
			"tool", `{"total_tokens": 5, "total_price": 1, "currency": "USD", "tool_info": {"provider_type": "workflow"}}`,
			Usage{Nested: 5, Reported: true},
			0,
		},
		"tool of no kind": {"tool", `{"total_tokens": 5}`, Usage{Nested: 5, Reported: true}, 0},
		"another tool": {
			"tool", `{"total_tokens": 5, "tool_info": {"provider_type": "builtin"}}`,
			Usage{Total: 5, Reported: true},
			0,
		},
		"only inside":        {"agent", `{"agent_log": [{"total_tokens": 5}]}`, Usage{}, 0},
		"torn":               {"llm", `{"total_tokens": 5`, Usage{}, 1},
		"too long":           {"agent", "", Usage{}, 1},
		"of the wrong kind":  {"llm", `{"total_tokens": {}}`, Usage{}, 1},
		"not a number":       {"llm", `{"total_tokens": "many"}`, Usage{}, 1},
		"price of a kind":    {"llm", `{"total_price": [1], "total_tokens": 1}`, Usage{}, 1},
		"currency of a kind": {"llm", `{"currency": 1, "total_tokens": 1}`, Usage{}, 1},
		"list":               {"llm", `[]`, Usage{}, 1},
		"more behind":        {"llm", `{"total_tokens": 1} x`, Usage{}, 1},
		"escapes": {
			"llm", `{"agent": "\"é\u0041", "total_tokens": 7}`, Usage{Total: 7, Reported: true}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var used Usage
			readable := used.Add(source.Node{RunID: "r", Type: test.kind, Metadata: test.metadata})
			assert.Equal(t, test.want, used)
			assert.Equal(t, test.unreadable == 0, readable)
		})
	}
}

// A called workflow counts once, whether its nodes are rows of the run or it is a run of its own.
func TestCalledWorkflows(t *testing.T) {
	tool := source.Node{
		Type: "tool", AppID: "caller", TriggeredFrom: "workflow-run",
		Metadata: `{"total_tokens": 30, "total_price": 3, "currency": "USD", "tool_info": {"provider_type": "workflow"}}`,
	}
	own := source.Node{
		Type: "llm", AppID: "caller", TriggeredFrom: "workflow-run",
		Metadata: `{"total_tokens": 5, "total_price": 1, "currency": "USD"}`,
	}
	called := func(kind, app, trigger string) source.Node {
		return source.Node{
			Type: kind, AppID: app, TriggeredFrom: trigger,
			Metadata: `{"total_tokens": 30, "total_price": 3, "currency": "USD"}`,
		}
	}
	for name, test := range map[string]struct {
		nodes []source.Node
		want  Usage
	}{
		"a run of its own": {
			[]source.Node{own, tool}, Usage{Total: 5, Nested: 30, Reported: true, Prices: []Price{{"USD", 1}}},
		},
		"rows of the run": {
			[]source.Node{own, tool, called("loop", "called", "workflow-tool"), called("llm", "called", "workflow-tool")},
			Usage{Total: 35, Nested: 30, Called: true, Reported: true, Prices: []Price{{"USD", 4}}},
		},
		"the tool reports nothing": {
			[]source.Node{own, called("llm", "called", "any other")},
			Usage{Total: 35, Nested: 30, Called: true, Reported: true, Prices: []Price{{"USD", 4}}},
		},
		"an app that calls itself": {
			[]source.Node{tool, called("llm", "caller", "workflow-tool")},
			Usage{Total: 30, Nested: 30, Called: true, Reported: true, Prices: []Price{{"USD", 3}}},
		},
		"another app, the usual trigger": {
			[]source.Node{tool, called("llm", "called", "workflow-run")},
			Usage{Total: 30, Nested: 30, Called: true, Reported: true, Prices: []Price{{"USD", 3}}},
		},
		"one calls another": {
			[]source.Node{tool, called("tool", "called", "x"), called("llm", "third", "x")},
			Usage{Total: 30, Nested: 30, Called: true, Reported: true, Prices: []Price{{"USD", 3}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var used Usage
			assert.Zero(t, used.AddAll("caller", test.nodes))
			assert.Equal(t, test.want, used)
		})
	}
}

func BenchmarkAddUsage(b *testing.B) {
	node := source.Node{Type: "llm", Metadata: `{"total_tokens": 90, "total_price": "0.0001", "currency": "USD"}`}
	b.ReportAllocs()
	for b.Loop() {
		var used Usage
		used.Add(node)
	}
}
