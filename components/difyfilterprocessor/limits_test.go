// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func TestEachLimitIsDocumented(t *testing.T) {
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, limit := range tally.LimitNames() {
		assert.Contains(t, string(page), "`"+limit+"`")
	}
}

func TestCutsAreCountedAndLoggedOnce(t *testing.T) {
	b := newHarness(t)
	core, logs := observer.New(zap.WarnLevel)
	b.logger = zap.New(core)
	for range 3 {
		b.traces(t, batchOf(kv{}, spanSpec{id: 1, name: strings.Repeat("secret", 1<<20)}))
	}
	assert.Equal(t, map[attribute.Set]int64{attribute.NewSet(attribute.String("limit", "string_length")): 3},
		b.counter(t, "otelcol_dify_filter_limited_values"))
	require.Equal(t, 1, logs.Len())
	assert.NotContains(t, logs.All()[0].Message, "secret")
	assert.Equal(t, map[string]any{"limit": "string_length", "values": int64(1)}, logs.All()[0].ContextMap())
}

// The ID of a run is in a value of any length that redaction then removes.
func TestRunOfALongValue(t *testing.T) {
	b := newHarness(t)
	output := `{"files": "` + strings.Repeat("x", 3<<20) + `", "sys.workflow_run_id": "` + runA + `"}`
	td := b.traces(t, batchOf(difyProcess(1),
		runner(2, 0, appA, workflowA),
		spanSpec{
			id: 3, parent: 2, scope: scopeNodes, name: "开始",
			kv: kv{"node.id": "start", "node.type": "start", "output.value": output},
		}))
	span := byID(td, 3)
	assert.Equal(t, runA, attrs.Text(span.Attributes(), difysemconv.AttrWorkflowRunID))
	assert.False(t, attrs.Has(span.Attributes(), difysemconv.AttrLimited))
	assert.False(t, attrs.Has(span.Attributes(), "output.value"))
}

// Redaction knows attributes by their names: it comes before they are changed for Prometheus.
func TestJoinedLabelsAreRedacted(t *testing.T) {
	b := newHarness(t)
	md := durations(difyProcess(1), kv{"gen_ai.prompt": "canary", "gen_ai_prompt": "other", "le": "x"})
	out := wireMetrics(t, b.metrics(t, md))
	assert.NotContains(t, out, "canary")
	assert.Contains(t, out, "exported_le")
}
