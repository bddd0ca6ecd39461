// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"testing"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestUsageIsReadInLinearTime(t *testing.T) {
	for _, before := range []string{"", `{"total_tokens":`, `{"total_price":"`, `{"tool_info":{"a":`} {
		lineartest.CheckText(t, func(text string) { (&Usage{}).Add(source.Node{Type: "llm", Metadata: before + text}) })
	}
}
