// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestRunWithoutNodesCountsItsOwnSum(t *testing.T) {
	runs := []outcome.Outcome{{Run: source.Run{Key: source.Key{ID: "r"}, TotalTokens: 9}}}
	Fill(source.Details{
		AppLogs: []source.AppLog{{Key: source.Key{ID: "b"}, RunID: "r"}, {Key: source.Key{ID: "a"}, RunID: "r"}},
	}, runs)
	assert.Equal(t, int64(9), runs[0].Usage.Total)
	assert.Equal(t, "a", runs[0].AppLog.ID)
}

func TestFailedNode(t *testing.T) {
	node := func(id, kind string, index int64) source.FailedNode {
		return source.FailedNode{RunID: "r", ID: id, Type: kind, Index: index, AppID: "caller", TriggeredFrom: "workflow-run"}
	}
	called := func(id, kind string, index int64) source.FailedNode {
		return source.FailedNode{RunID: "r", ID: id, Type: kind, Index: index, AppID: "called", TriggeredFrom: "new"}
	}
	for name, tt := range map[string]struct {
		nodes []source.FailedNode
		want  string
	}{
		"one":              {[]source.FailedNode{node("a", "code", 2)}, "a"},
		"the last attempt": {[]source.FailedNode{node("a", "llm", 2), node("b", "llm", 4), node("c", "llm", 3)}, "b"},
		"within a loop":    {[]source.FailedNode{node("a", "code", 2), node("b", "loop", 3)}, "a"},
		"called":           {[]source.FailedNode{node("a", "tool", 2), called("b", "code", 1)}, "b"},
		"called in a loop": {[]source.FailedNode{node("a", "loop", 3), node("b", "tool", 2), called("c", "llm", 1)}, "c"},
		"called by called": {[]source.FailedNode{node("a", "tool", 1), called("b", "tool", 9), called("c", "llm", 1)}, "c"},
		"was in progress":  {[]source.FailedNode{node("a", "llm", 2), called("b", "code", 9)}, "a"},
		"of another run":   {[]source.FailedNode{{RunID: "other", ID: "a"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				runs := []outcome.Outcome{{Run: source.Run{Key: source.Key{ID: "r"}, AppID: "caller"}}}
				Fill(source.Details{Failed: tt.nodes}, runs)
				assert.Equal(t, tt.want, runs[0].Failed.ID)
				slices.Reverse(tt.nodes)
			}
		})
	}
}
