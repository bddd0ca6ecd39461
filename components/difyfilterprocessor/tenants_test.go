// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/appowner"
)

const (
	attacker     = "5062b193-7acf-49d8-88fa-e1cb22331307"
	contradicted = "otelcol_dify_filter_contradictory_tenants"
)

func claim(id byte, app, tenant string) spanSpec {
	return spanSpec{id: id, scope: scopeRunners, name: "x", kv: kv{"dify.app_id": app, "dify.tenant_id": tenant}}
}

func TestTenantOfAnApp(t *testing.T) {
	const owned = "c0c1b529-3371-408b-b396-bf6b69ff4b33"
	appowner.Database.Set(owned, tenant)
	for name, tt := range map[string]struct {
		app            string
		batches        [][]spanSpec
		want           any
		contradictions int64
	}{
		"the first that said it":     {appA, [][]spanSpec{{claim(1, appA, tenant)}, {claim(2, appA, attacker)}}, tenant, 1},
		"in one batch":               {appA, [][]spanSpec{{claim(1, appA, tenant), claim(2, appA, attacker)}}, tenant, 1},
		"no contradiction":           {appA, [][]spanSpec{{claim(1, appA, tenant)}, {claim(2, appB, attacker)}}, tenant, 0},
		"the database, before spans": {owned, [][]spanSpec{{claim(1, owned, attacker)}}, tenant, 1},
		"the database alone":         {owned, nil, tenant, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			for _, batch := range tt.batches {
				b.traces(t, batchOf(difyProcess(7), batch...))
			}
			out := b.traces(t, batchOf(difyProcess(7), startNode(7, 5, runA, tt.app, workflowA)))
			attributes := out.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().AsRaw()
			assert.Equal(t, tt.want, attributes["dify.tenant_id"])
			count := int64(0)
			for _, n := range b.counter(t, contradicted) {
				count += n
			}
			assert.Equal(t, tt.contradictions, count)
		})
	}
}

// A client may send a request with the trace ID of another.
func TestRequestOfAnotherTenant(t *testing.T) {
	foreign := request()
	foreign.id, foreign.kv = 9, kv{"dify.tenant_id": attacker}
	run := []spanSpec{
		runner(5, 3, appA, workflowA), startNode(7, 5, runA, appA, workflowA),
		{id: 3, parent: 1, scope: scopeRunners, name: "generate"},
	}
	for name, batches := range map[string][][]spanSpec{
		"after the run":                      {append([]spanSpec{request()}, run...), {foreign}},
		"in the same batch":                  {append([]spanSpec{request(), foreign}, run...)},
		"before the top of the run arrives":  {run, {foreign}, {request()}},
		"before anything of the run arrives": {{foreign}, append([]spanSpec{request()}, run...)},
	} {
		t.Run(name, func(t *testing.T) {
			got := linked(t, newHarness(t), batches...)
			assert.Equal(t, map[byte]string{1: runA, 3: runA, 5: runA, 7: runA}, got)
		})
	}
	t.Run("without a tenant, when the top is known", func(t *testing.T) {
		foreign.kv = nil
		got := linked(t, newHarness(t), append([]spanSpec{request()}, run...), []spanSpec{foreign})
		assert.NotContains(t, got, byte(9))
	})
}

func TestReservedAttributes(t *testing.T) {
	set := kv{
		"dify":             map[string]any{"tenant_id": attacker},
		"dify.tenant_id":   tenant,
		"data_stream":      "mine",
		"data_stream.type": "logs",
		"data_streams":     "kept",
	}
	want := map[string]any{
		"original.dify":             map[string]any{"tenant_id": attacker},
		"dify.tenant_id":            tenant,
		"original.data_stream":      "mine",
		"original.data_stream.type": "logs",
		"data_streams":              "kept",
	}
	b := newHarness(t, func(cfg *Config) { cfg.Redaction.Enabled = false })
	td := batchOf(difyProcess(7), spanSpec{id: 1, scope: scopeRunners, name: "x"})
	require.NoError(t, firstSpan(td).Attributes().FromRaw(set))
	for range 2 { // behind Kafka it is done again
		td = b.traces(t, td)
		assert.Equal(t, want, firstSpan(td).Attributes().AsRaw())
	}
	ld := plog.NewLogs()
	record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	require.NoError(t, record.Attributes().FromRaw(set))
	attributes := b.logs(t, ld).ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes()
	attributes.Remove("log.record.uid")
	assert.Equal(t, want, attributes.AsRaw())
}

func firstSpan(td ptrace.Traces) ptrace.Span {
	return td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
}
