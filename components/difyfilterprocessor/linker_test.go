// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const (
	runA      = "0bab5210-d1dd-467d-b368-3c479a101900"
	runB      = "1bab5210-d1dd-467d-b368-3c479a101900"
	appA      = "a0c1b529-3371-408b-b396-bf6b69ff4b33"
	appB      = "b0c1b529-3371-408b-b396-bf6b69ff4b33"
	workflowA = "41497ee5-b26a-4c8b-8c3d-e76dceb42c0f"
	workflowB = "51497ee5-b26a-4c8b-8c3d-e76dceb42c0f"
	tenant    = "4062b193-7acf-49d8-88fa-e1cb22331307"
)

func startOutput(runID, app, workflow string) string {
	return fmt.Sprintf(
		`{"sys.files": [], "sys.app_id": %q, "sys.workflow_id": %q, "sys.workflow_run_id": %q, "q": "x"}`,
		app,
		workflow,
		runID,
	)
}

func startNode(id, parent byte, runID, app, workflow string) spanSpec {
	return spanSpec{
		id: id, parent: parent, scope: scopeNodes, name: "开始", kind: internalSpan,
		kv: kv{"node.id": "start", "node.type": "start", "output.value": startOutput(runID, app, workflow)},
	}
}

func node(id, parent byte, kind string) spanSpec {
	return spanSpec{
		id:     id,
		parent: parent,
		scope:  scopeNodes,
		name:   "My " + kind,
		kind:   internalSpan,
		kv:     kv{"node.id": "n", "node.type": kind},
	}
}

func runner(id, parent byte, app, workflow string) spanSpec {
	return spanSpec{
		id: id, parent: parent, scope: scopeRunners, name: "core.app.apps.workflow.app_runner.WorkflowAppRunner.run",
		kind: internalSpan,
		kv:   kv{"dify.app_id": app, "dify.tenant_id": tenant, "dify.workflow_id": workflow},
	}
}

func sqlCall(id, parent byte) spanSpec {
	return spanSpec{
		id:     id,
		parent: parent,
		scope:  emitter.ScopeInstrumentation + "sqlalchemy",
		name:   "SELECT dify",
		kind:   clientSpan,
		kv:     kv{"db.system": "postgresql"},
	}
}

func request() spanSpec {
	return spanSpec{id: 1, scope: emitter.ScopeFlask, name: "POST /v1/workflows/run", kind: serverSpan}
}

func generate(id byte) spanSpec {
	return spanSpec{
		id: id, parent: 1, scope: scopeRunners, name: "services.app_generate_service.AppGenerateService.generate",
		kind: internalSpan,
		kv:   kv{"dify.app_id": appA, "dify.tenant_id": tenant, "dify.workflow_id": "unknown"},
	}
}

// linked processes batches of one trace and returns the run of each span that has one.
func linked(t *testing.T, b *harness, batches ...[]spanSpec) map[byte]string {
	t.Helper()
	runs := map[byte]string{}
	for _, specs := range batches {
		for _, s := range spansOf(b.traces(t, batchOf(difyProcess(1), specs...))) {
			if id := attrs.Text(s.Attributes(), difysemconv.AttrWorkflowRunID); id != "" {
				runs[s.SpanID()[7]] = id
			}
		}
	}
	return runs
}

func TestRunIDs(t *testing.T) {
	for name, tt := range map[string]struct {
		batches [][]spanSpec
		want    map[byte]string
	}{
		"one batch": {
			[][]spanSpec{{
				request(), sqlCall(2, 1), generate(3), sqlCall(4, 3), runner(5, 3, appA, workflowA), sqlCall(6, 5),
				startNode(7, 5, runA, appA, workflowA), node(8, 5, "code"), sqlCall(9, 8),
			}},
			map[byte]string{1: runA, 3: runA, 5: runA, 6: runA, 7: runA, 8: runA, 9: runA},
		},
		"parents arrive later, since they end later": {
			[][]spanSpec{
				{startNode(7, 5, runA, appA, workflowA)},
				{sqlCall(9, 8)},
				{node(8, 5, "code"), sqlCall(10, 8)},
				{runner(5, 3, appA, workflowA)},
				{sqlCall(4, 3), generate(3)},
				{request(), sqlCall(2, 1)},
			},
			map[byte]string{7: runA, 8: runA, 10: runA, 5: runA, 3: runA, 1: runA},
		},
		"the request arrives before the spans between": {
			[][]spanSpec{{startNode(7, 5, runA, appA, workflowA)}, {request()}, {runner(5, 3, appA, workflowA), generate(3)}},
			map[byte]string{7: runA, 1: runA, 5: runA, 3: runA},
		},
		"a child of an asynchronous call arrives last": {
			[][]spanSpec{
				{
					runner(5, 1, appA, workflowA), startNode(7, 5, runA, appA, workflowA),
					{id: 8, parent: 5, name: "apply_async/x", kind: producerSpan, scope: emitter.ScopeCelery},
				},
				{{id: 9, parent: 8, name: "run/x", kind: consumerSpan, scope: emitter.ScopeCelery}},
			},
			map[byte]string{5: runA, 7: runA, 8: runA, 9: runA},
		},
		"two runs in one trace": {
			[][]spanSpec{{
				request(), generate(2), runner(3, 2, appA, workflowA), startNode(4, 3, runA, appA, workflowA),
				runner(5, 2, appB, workflowB), startNode(6, 5, runB, appB, workflowB), node(7, 5, "code"),
			}},
			map[byte]string{3: runA, 4: runA, 5: runB, 6: runB, 7: runB},
		},
		"a run within a run, called as a tool": {
			[][]spanSpec{{
				request(), runner(2, 1, appA, workflowA), startNode(3, 2, runA, appA, workflowA), node(4, 2, "tool"),
				runner(5, 4, appB, workflowB), startNode(6, 5, runB, appB, workflowB), sqlCall(7, 5), node(8, 2, "end"),
			}},
			map[byte]string{2: runA, 3: runA, 4: runA, 5: runB, 6: runB, 7: runB, 8: runA},
		},
		"spans that already have the ID": {
			[][]spanSpec{{
				{id: 5, scope: scopeRunners, name: "x.WorkflowAppRunner.run", kv: kv{"dify.workflow_run_id": runA}}, sqlCall(6, 5),
			}},
			map[byte]string{5: runA, 6: runA},
		},
		"an ancestor with the ID is not a source": {
			[][]spanSpec{{{
				id: 1, scope: emitter.ScopeFlask, name: "POST /x", kind: serverSpan,
				kv: kv{"dify.workflow_run_id": runA},
			}, sqlCall(2, 1), generate(3)}},
			map[byte]string{1: runA},
		},
		"variables of users are not a source": {
			[][]spanSpec{{
				{
					id: 1, scope: scopeNodes, name: "Code",
					kv: kv{"node.id": "c", "node.type": "code", "output.value": startOutput(runA, appA, workflowA)},
				},
				{
					id: 2, scope: scopeNodes, name: "Start",
					kv: kv{
						"node.id": "s", "node.type": "start",
						"output.value": `{"o": {"sys.workflow_run_id": "` + runA + `"}, "p": "\"sys.workflow_run_id\": \"` + runA +
							`\""}`,
					},
				},
				{
					id: 3, scope: scopeNodes, name: "Start",
					kv: kv{"node.id": "s", "node.type": "start", "output.value": `{"sys.workflow_run_id": "not an id"}`},
				},
			}},
			map[byte]string{},
		},
		"truncated output": {
			[][]spanSpec{{{
				id: 1, scope: scopeNodes, name: "Start",
				kv: kv{
					"node.id": "s", "node.type": "start",
					"output.value": `{"sys.workflow_run_id": "` + runA + `", "q": "abc`,
				},
			}}},
			map[byte]string{1: runA},
		},
		"a cycle of parents": {
			[][]spanSpec{{node(1, 2, "code"), node(2, 1, "code"), startNode(4, 3, runA, appA, workflowA)}},
			map[byte]string{4: runA},
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, linked(t, newHarness(t), tt.batches...))
			for _, specs := range tt.batches {
				slices.Reverse(specs)
			}
			assert.Equal(t, tt.want, linked(t, newHarness(t), tt.batches...), "the order within a batch does not matter")
		})
	}
}

func TestRunsExpire(t *testing.T) {
	b := newHarness(t)
	linked(t, b, []spanSpec{startNode(7, 5, runA, appA, workflowA)})
	b.clock = b.clock.Add(2 * b.cfg.Memory.TTL)
	assert.Empty(t, linked(t, b, []spanSpec{node(8, 5, "code")}))
}

func TestNodeIDs(t *testing.T) {
	full := identity.IDs{Tenant: tenant, App: appA, Workflow: workflowA}
	for name, tt := range map[string]struct {
		batches [][]spanSpec
		want    map[byte]identity.IDs
	}{
		"from the parent": {[][]spanSpec{{
			runner(5, 1, appA, workflowA), node(6, 5, "code"),
			node(7, 6, "code"),
		}}, map[byte]identity.IDs{6: full, 7: full}},
		"workflow unknown": {
			[][]spanSpec{{generate(5), node(6, 5, "code")}},
			map[byte]identity.IDs{6: {Tenant: tenant, App: appA}},
		},
		"before its parent, from the start node": {[][]spanSpec{
			{startNode(7, 5, runA, appA, workflowA)},
			{node(6, 5, "code")},
		}, map[byte]identity.IDs{
			6: {App: appA, Workflow: workflowA},
			7: {App: appA, Workflow: workflowA},
		}},
		"the tenant from an earlier run": {[][]spanSpec{
			{runner(1, 0, appA, workflowA)},
			{startNode(7, 5, runA, appA, workflowA)},
		}, map[byte]identity.IDs{7: full}},
		"after its parent": {[][]spanSpec{{
			runner(5, 1, appA, workflowA),
			startNode(7, 5, runA, appA, workflowA),
		}, {node(6, 5, "code")}}, map[byte]identity.IDs{6: full, 7: full}},
		"not from the trace, which may call another app": {
			[][]spanSpec{{generate(3), node(6, 5, "code")}},
			map[byte]identity.IDs{6: {}},
		},
		"from the inner run": {
			[][]spanSpec{{
				runner(2, 1, appA, workflowA), startNode(3, 2, runA, appA, workflowA), node(4, 2, "tool"),
				startNode(6, 5, runB, appB, workflowB), node(8, 5, "end"),
			}},
			map[byte]identity.IDs{3: full, 4: full, 6: {App: appB, Workflow: workflowB}, 8: {App: appB, Workflow: workflowB}},
		},
		"its own are kept": {[][]spanSpec{{
			runner(5, 1, appA, workflowA),
			{
				id: 6, parent: 5, scope: scopeNodes, name: "x",
				kv: kv{"node.id": "n", "node.type": "code", "dify.app_id": appB},
			},
		}}, map[byte]identity.IDs{6: {App: appB}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			got := map[byte]identity.IDs{}
			for _, specs := range tt.batches {
				for _, s := range spansOf(b.traces(t, batchOf(difyProcess(1), specs...))) {
					if attrs.Has(s.Attributes(), difysemconv.AttrNodeID) {
						got[s.SpanID()[7]] = identity.IDsOf(s.Attributes())
					}
				}
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestNodesAreNamedByType(t *testing.T) {
	b := newHarness(t)
	td := b.traces(t, batchOf(difyProcess(1), startNode(7, 5, runA, appA, workflowA)))
	span := byID(td, 7)
	assert.Equal(t, "start", span.Name())
	assert.Equal(t, "开始", attrs.Text(span.Attributes(), difysemconv.AttrNodeTitle))
	assert.False(t, attrs.Has(span.Attributes(), "output.value"))
}

// A run that waits for a person continues in another trace, with another span of the node that waited.
func TestResumedRuns(t *testing.T) {
	waiting := func(id, trace byte) spanSpec {
		span := node(id, 5, "human-input")
		span.trace, span.kv["node.execution_id"] = trace, "11111111-2222-4333-8444-555555555555"
		return span
	}
	before := []spanSpec{startNode(7, 5, runA, appA, workflowA), waiting(8, 1), runner(5, 0, appA, workflowA)}
	end := node(9, 5, "end")
	end.trace = 2
	resumed := runner(5, 4, appA, workflowA)
	resumed.trace = 2
	after := []spanSpec{end, resumed, waiting(8, 2)}
	for name, batches := range map[string][][]spanSpec{
		"one batch":         {slices.Concat(after, before)},
		"two batches":       {before, after},
		"runner comes last": {before, {waiting(8, 2), end}, {resumed}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			want := 0
			for _, specs := range batches {
				for _, span := range spansOf(b.traces(t, batchOf(difyProcess(1), specs...))) {
					assert.Equal(t, runA, attrs.Text(span.Attributes(), difysemconv.AttrWorkflowRunID), span.Name())
					want++
				}
			}
			assert.Equal(t, 6, want)
		})
	}
	t.Run("each trace alone", func(t *testing.T) {
		for _, change := range []func(*Config){
			func(cfg *Config) { cfg.Memory.MaxProcesses = 0 }, func(cfg *Config) { cfg.WholeTraces = false },
		} {
			b := newHarness(t, change)
			b.traces(t, batchOf(difyProcess(1), before...))
			for _, span := range spansOf(b.traces(t, batchOf(difyProcess(1), after...))) {
				assert.False(t, attrs.Has(span.Attributes(), difysemconv.AttrWorkflowRunID))
			}
		}
	})
	t.Run("not known", func(t *testing.T) {
		for _, span := range spansOf(newHarness(t).traces(t, batchOf(difyProcess(1), after...))) {
			assert.False(t, attrs.Has(span.Attributes(), difysemconv.AttrWorkflowRunID))
		}
	})
}
