// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestAddUp(t *testing.T) {
	for name, test := range map[string]struct {
		kind, metadata string
		want           *usage // nil: the run's own sum counts
		unreadable     int
	}{
		"number":            {"llm", `{"total_tokens": 12, "total_price": 0.5, "currency": "USD"}`, &usage{12, map[string]float64{"USD": 0.5}}, 0},
		"string":            {"agent", `{"total_tokens": "12", "total_price": "0.50", "currency": "RMB"}`, &usage{12, map[string]float64{"RMB": 0.5}}, 0},
		"null":              {"llm", `{"total_tokens": 0, "total_price": null, "currency": null}`, &usage{0, map[string]float64{}}, 0},
		"free text":         {"llm", `{"total_tokens": 1, "total_price": 1, "currency": "my money"}`, &usage{1, map[string]float64{other: 1}}, 0},
		"negative":          {"llm", `{"total_tokens": -1, "total_price": -1, "currency": "USD"}`, &usage{0, map[string]float64{}}, 0},
		"nonsense":          {"llm", `{"total_tokens": 1, "total_price": 1e300, "currency": "USD"}`, &usage{1, map[string]float64{}}, 0},
		"iteration":         {"iteration", `{"total_tokens": 5, "total_price": 1, "currency": "USD"}`, &usage{0, map[string]float64{}}, 0},
		"workflow as tool":  {"tool", `{"total_tokens": 5, "total_price": 1, "currency": "USD"}`, &usage{0, map[string]float64{}}, 0},
		"only inside":       {"agent", `{"agent_log": [{"total_tokens": 5}]}`, nil, 0},
		"torn":              {"llm", `{"total_tokens": 5`, nil, 1},
		"too long":          {"agent", "", nil, 1},
		"of the wrong kind": {"llm", `{"total_tokens": {}}`, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			byRun, unreadable := addUp([]source.Node{{RunID: "r", Type: test.kind, Metadata: test.metadata}})
			assert.Equal(t, test.want, byRun["r"])
			assert.Equal(t, test.unreadable, unreadable)
		})
	}
}

func TestRunWithoutNodesCountsItsOwnSum(t *testing.T) {
	runs := []outcome{{Run: source.Run{Key: source.Key{ID: "r"}, TotalTokens: 9}}}
	fill(runs, []source.AppLog{{ID: "b", RunID: "r"}, {ID: "a", RunID: "r"}}, nil)
	assert.Equal(t, int64(9), runs[0].usage.tokens)
	assert.Equal(t, "a", runs[0].appLog.ID)
}
