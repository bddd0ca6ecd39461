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
		return source.FailedNode{RunID: "r", ID: id, Type: kind, Index: index}
	}
	for name, tt := range map[string]struct {
		nodes []source.FailedNode
		want  string
	}{
		"one":              {[]source.FailedNode{node("a", "code", 2)}, "a"},
		"the last attempt": {[]source.FailedNode{node("a", "llm", 2), node("b", "llm", 4), node("c", "llm", 3)}, "b"},
		"within a loop":    {[]source.FailedNode{node("a", "code", 2), node("b", "loop", 3)}, "a"},
		"of another run":   {[]source.FailedNode{{RunID: "other", ID: "a"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				runs := []outcome.Outcome{{Run: source.Run{Key: source.Key{ID: "r"}}}}
				Fill(source.Details{Failed: tt.nodes}, runs)
				assert.Equal(t, tt.want, runs[0].Failed.ID)
				slices.Reverse(tt.nodes)
			}
		})
	}
}
