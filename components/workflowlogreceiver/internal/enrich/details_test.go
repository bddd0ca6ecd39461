// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestRunWithoutNodesCountsItsOwnSum(t *testing.T) {
	runs := []outcome.Outcome{{Run: source.Run{Key: source.Key{ID: "r"}, TotalTokens: 9}}}
	Details{
		AppLogs: []source.AppLog{{Key: source.Key{ID: "b"}, RunID: "r"}, {Key: source.Key{ID: "a"}, RunID: "r"}},
	}.Fill(
		runs,
	)
	assert.Equal(t, int64(9), runs[0].Usage.Total)
	assert.Equal(t, "a", runs[0].AppLog.ID)
}
