// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestAddUsage(t *testing.T) {
	for name, test := range map[string]struct {
		kind, metadata string
		want           usage
		unreadable     int
	}{
		"number":            {"llm", `{"total_tokens": 12, "total_price": 0.5, "currency": "USD"}`, usage{total: 12, reported: true, prices: []price{{"USD", 0.5}}}, 0},
		"string":            {"agent", `{"total_tokens": "12", "total_price": "0.50", "currency": "RMB"}`, usage{total: 12, reported: true, prices: []price{{"RMB", 0.5}}}, 0},
		"null":              {"llm", `{"total_tokens": 0, "total_price": null, "currency": null}`, usage{reported: true}, 0},
		"free text":         {"llm", `{"total_tokens": 1, "total_price": 1, "currency": "my money"}`, usage{total: 1, reported: true, prices: []price{{other, 1}}}, 0},
		"negative":          {"llm", `{"total_tokens": -1, "total_price": -1, "currency": "USD"}`, usage{reported: true}, 0},
		"nonsense":          {"llm", `{"total_tokens": 1, "total_price": 1e300, "currency": "USD"}`, usage{total: 1, reported: true}, 0},
		"iteration":         {"iteration", `{"total_tokens": 5, "total_price": 1, "currency": "USD"}`, usage{reported: true}, 0},
		"workflow as tool":  {"tool", `{"total_tokens": 5, "total_price": 1, "currency": "USD", "tool_info": {"provider_type": "workflow"}}`, usage{nested: 5, reported: true}, 0},
		"tool of no kind":   {"tool", `{"total_tokens": 5}`, usage{nested: 5, reported: true}, 0},
		"another tool":      {"tool", `{"total_tokens": 5, "tool_info": {"provider_type": "builtin"}}`, usage{total: 5, reported: true}, 0},
		"only inside":       {"agent", `{"agent_log": [{"total_tokens": 5}]}`, usage{}, 0},
		"torn":              {"llm", `{"total_tokens": 5`, usage{}, 1},
		"too long":          {"agent", "", usage{}, 1},
		"of the wrong kind": {"llm", `{"total_tokens": {}}`, usage{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var used usage
			readable := used.add(source.Node{RunID: "r", Type: test.kind, Metadata: test.metadata})
			assert.Equal(t, test.want, used)
			assert.Equal(t, test.unreadable == 0, readable)
		})
	}
}

func TestRunWithoutNodesCountsItsOwnSum(t *testing.T) {
	runs := []outcome{{Run: source.Run{Key: source.Key{ID: "r"}, TotalTokens: 9}}}
	details{appLogs: []source.AppLog{{Key: source.Key{ID: "b"}, RunID: "r"}, {Key: source.Key{ID: "a"}, RunID: "r"}}}.fill(runs)
	assert.Equal(t, int64(9), runs[0].usage.total)
	assert.Equal(t, "a", runs[0].appLog.ID)
}
