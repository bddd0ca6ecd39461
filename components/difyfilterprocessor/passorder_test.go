// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/spanrepair"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Gateways that see parts of traces, and a writer after Kafka that sees all parts of each trace, together do what one
// processor does with the same requests.

// chain is two gateways and a writer.
type chain struct {
	gateways [2]*harness
	writer   *harness
}

func newChain(tb testing.TB, change ...func(*Config)) chain {
	tb.Helper()
	part := append(slices.Clone(change), func(c *Config) { c.WholeTraces = false })
	return chain{[2]*harness{newHarness(tb, part...), newHarness(tb, part...)}, newHarness(tb, change...)}
}

// atGateway processes a request at a random gateway.
func (c *chain) atGateway(tb testing.TB, random chaos, td ptrace.Traces) []ptrace.Traces {
	tb.Helper()
	return messages(c.gateways[random.IntN(2)].traces(tb, td))
}

func (c *chain) assertGatewaysDropNothing(t *testing.T) {
	t.Helper()
	for _, g := range c.gateways {
		assert.Empty(t, g.dropped(t))
	}
}

// messages returns the messages that the Kafka exporter makes of a request if it partitions by trace ID
// (pkg/batchpersignal): one for each scope of each trace.
func messages(td ptrace.Traces) []ptrace.Traces {
	var all []ptrace.Traces
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			of := map[pcommon.TraceID]ptrace.SpanSlice{}
			for _, span := range ss.Spans().All() {
				if _, ok := of[span.TraceID()]; !ok {
					message := ptrace.NewTraces()
					to := message.ResourceSpans().AppendEmpty()
					rs.Resource().CopyTo(to.Resource())
					ss.Scope().CopyTo(to.ScopeSpans().AppendEmpty().Scope())
					of[span.TraceID()] = to.ScopeSpans().At(0).Spans()
					all = append(all, message)
				}
				span.CopyTo(of[span.TraceID()].AppendEmpty())
			}
		}
	}
	return all
}

// shown returns all of each span except the role of its process, which is learned over time, in a canonical order.
func shown(batches ...ptrace.Traces) []string {
	var all []string
	for _, td := range batches {
		for _, s := range spansOf(td) {
			res := s.res.AsRaw()
			delete(res, difysemconv.AttrRole)
			parts := []any{
				res, s.scope, s.TraceID(), s.SpanID(), s.ParentSpanID(), s.Name(), s.Kind(), s.StartTimestamp(), s.EndTimestamp(),
				s.Status().Code(), s.Status().Message(), s.Attributes().AsRaw(), s.TraceState().AsRaw(),
			}
			for _, e := range s.Events().All() {
				parts = append(parts, e.Timestamp(), e.Name(), e.Attributes().AsRaw())
			}
			for _, l := range s.Links().All() {
				parts = append(parts, l.TraceID(), l.SpanID(), l.TraceState().AsRaw(), l.Attributes().AsRaw())
			}
			all = append(all, fmt.Sprint(parts...))
		}
	}
	slices.Sort(all)
	return all
}

// unlinked removes the links of streaming requests and their runs: which of the two has one depends on what arrived
// before, and a gateway sends each trace in a message of its own.
func unlinked(batches []ptrace.Traces) []ptrace.Traces {
	for _, td := range batches {
		for _, s := range spansOf(td) {
			for _, key := range []string{difysemconv.AttrRequestTraceID, difysemconv.AttrRunTraceID} {
				if s.Attributes().Remove(key) {
					s.Links().RemoveIf(func(ptrace.SpanLink) bool { return true })
				}
			}
		}
	}
	return batches
}

// difyRequests returns the recordings and the requests of each version of Dify.
func difyRequests(t *testing.T) map[string][]ptrace.Traces {
	t.Helper()
	requests := map[string][]ptrace.Traces{"all recordings": recordedTraces(t)}
	for _, version := range goldenVersions(t) {
		all, err := golden.ReadTraces(goldenFile(version, "traces.yaml"))
		require.NoError(t, err)
		for _, rs := range all.ResourceSpans().All() {
			request := ptrace.NewTraces()
			rs.CopyTo(request.ResourceSpans().AppendEmpty())
			requests[version] = append(requests[version], request)
		}
	}
	return requests
}

func TestGatewaysAndWriterEqualOneProcessor(t *testing.T) {
	for name, requests := range difyRequests(t) {
		t.Run(name, func(t *testing.T) {
			random := chaos{newRandom(t)}
			single, c := newHarness(t), newChain(t)
			var want, got []ptrace.Traces
			for _, td := range requests {
				for _, message := range c.atGateway(t, random, copyTraces(td)) {
					checkCanariesGone(t, wireTraces(t, message))
					got = append(got, c.writer.traces(t, message))
				}
				want = append(want, single.traces(t, td))
			}
			assert.Equal(t, shown(unlinked(want)...), shown(unlinked(got)...))
			assert.Equal(t, single.dropped(t), c.writer.dropped(t))
			c.assertGatewaysDropNothing(t)
		})
	}
}

// Kafka keeps the order of the messages of one gateway, not of two. After a rebalance, some arrive again.
func TestMessagesInAnyOrderAndRepeated(t *testing.T) {
	random := chaos{newRandom(t)}
	single, c := newHarness(t), newChain(t)
	want := map[attrs.SpanKey]placed{}
	var queue []ptrace.Traces
	for _, td := range recordedTraces(t) {
		queue = append(queue, c.atGateway(t, random, copyTraces(td))...)
		for _, s := range spansOf(single.traces(t, td)) {
			want[attrs.SpanKey{Trace: s.TraceID(), Span: s.SpanID()}] = s
		}
	}
	for round := 1; round <= 2; round++ {
		random.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
		left := 0
		for _, message := range queue {
			for _, s := range spansOf(c.writer.traces(t, copyTraces(message))) {
				left++
				w, kept := want[attrs.SpanKey{Trace: s.TraceID(), Span: s.SpanID()}]
				require.True(t, kept, s.Name())
				assert.Equal(t, w.ParentSpanID(), s.ParentSpanID())
				assert.Equal(t, w.Events().Len(), s.Events().Len())
				assertNoOther(t, w, s)
			}
		}
		assert.Equal(t, len(want), left)
		for by, n := range single.dropped(t) {
			assert.Equal(t, round*n, c.writer.dropped(t)[by], by)
		}
	}
	c.assertGatewaysDropNothing(t)
}

// assertNoOther asserts that no ID differs. One span may have IDs that the other lacks, since the order differs.
func assertNoOther(t *testing.T, want, got placed) {
	t.Helper()
	for _, key := range []string{
		difysemconv.AttrWorkflowRunID, difysemconv.AttrAppID, difysemconv.AttrTenantID,
		difysemconv.AttrWorkflowID, difysemconv.AttrRequestTraceID, difysemconv.AttrRunTraceID, difysemconv.AttrCounts,
	} {
		if attrs.Has(want.Attributes(), key) && attrs.Has(got.Attributes(), key) {
			assert.Equal(t, attrs.Text(want.Attributes(), key), attrs.Text(got.Attributes(), key))
		}
		got.Attributes().Remove(key)
		want.Attributes().Remove(key)
	}
	assert.Equal(t, want.Attributes().AsRaw(), got.Attributes().AsRaw())
}

func TestPartsOfATraceInAnyOrder(t *testing.T) {
	random := chaos{newRandom(t)}
	noise := func(c *Config) {
		c.Drop.Rules = []RuleConfig{{Name: "noise", Drops: noise.DropsSpan, SpanName: "noise"}}
	}
	for range 100 {
		specs := aTrace(random)
		whole := orderHarness(t).atOnce(t, [][]spanSpec{specs})
		parents := map[byte]byte{}
		for _, s := range specs {
			parents[s.id] = s.parent
		}
		c := newChain(t, noise)
		var queue []ptrace.Traces
		for _, part := range split(random, specs) {
			if len(part) > 0 {
				queue = append(queue, c.atGateway(t, random, batchOf(difyProcess(1), part...))...)
			}
		}
		for range random.IntN(4) {
			queue = append(queue, copyTraces(one(random, queue)))
		}
		got := map[byte]placed{}
		for _, td := range c.writer.allAtOnce(t, queue) {
			for _, s := range spansOf(td) {
				got[s.SpanID()[7]] = s
				want, kept := whole[s.SpanID()[7]]
				require.True(t, kept, "span %d", s.SpanID()[7])
				assertSameOrLess(t, want, s)
				assert.True(t, isBetween(parents, s.ParentSpanID()[7], s.SpanID()[7], want.ParentSpanID()[7]))
			}
		}
		assert.Len(t, got, len(whole))
		c.assertGatewaysDropNothing(t)
	}
}

func (b *harness) allAtOnce(t *testing.T, batches []ptrace.Traces) []ptrace.Traces {
	t.Helper()
	var wg sync.WaitGroup
	for _, td := range batches {
		wg.Go(func() { _, _ = b.processTraces(t.Context(), td) }) // ErrSkipProcessingData: nothing is left
	}
	wg.Wait()
	return batches
}

// A dropped span and its children arrive at different gateways, and in order at the writer.
func TestParentIsDroppedInAnotherPart(t *testing.T) {
	rules := func(c *Config) {
		c.Drop.Rules = []RuleConfig{
			{Name: "noise", Drops: noise.DropsSpan, SpanName: "noise"},
			{Name: "probe", Drops: noise.DropsSubtree, SpanName: "GET /probe"},
		}
	}
	c := newChain(t, rules)
	left := map[byte]byte{}
	for i, td := range []ptrace.Traces{
		batchOf(difyProcess(1), request(), spanSpec{id: 2, parent: 1, scope: scopeRunners, name: "noise"}),
		batchOf(difyProcess(1), spanSpec{id: 3, parent: 2, scope: scopeRunners, name: "work"}),
		batchOf(difyProcess(1), sqlCall(5, 4),
			spanSpec{id: 4, scope: emitter.ScopeFlask, name: "GET /probe", kind: serverSpan}),
		batchOf(difyProcess(1), spanSpec{id: 6, parent: 4, scope: scopeRunners, name: "work"}),
	} {
		for _, message := range messages(c.gateways[i%2].traces(t, td)) {
			maps.Copy(left, tree(c.writer.traces(t, message)))
		}
	}
	assert.Equal(t, map[byte]byte{1: 0, 3: 1}, left)
	assert.Equal(t, map[droppedBy]int{{"noise", tally.KindSpan}: 1, {"probe", tally.KindSpan}: 3}, c.writer.dropped(t))
	c.assertGatewaysDropNothing(t)
}

// The ancestors of a run may have other runs, which another gateway knows.
func TestGatewaySetsRunsButNotOnAncestors(t *testing.T) {
	c := newChain(t)
	batch := []spanSpec{
		request(), generate(2), sqlCall(3, 5), runner(4, 2, appA, workflowA), startNode(5, 4, runA, appA, workflowA),
		node(6, 4, "iteration"),
		node(7, 6, "code"),
	}
	td := c.gateways[0].traces(t, batchOf(difyProcess(1), batch...))
	runs := map[byte]string{}
	for _, s := range spansOf(td) {
		if id := attrs.Text(s.Attributes(), difysemconv.AttrWorkflowRunID); id != "" {
			runs[s.SpanID()[7]] = id
		}
	}
	assert.Equal(t, map[byte]string{3: runA, 4: runA, 5: runA, 6: runA, 7: runA}, runs)
	assert.False(t, c.gateways[0].state.runs.Traces())
}

// Spans that end later arrive in a later request. A node within a node belongs to the same run, although it already
// has the ID when it arrives at the writer, as start nodes do.
func TestRunOverTwoRequests(t *testing.T) {
	requests := [][]spanSpec{
		{startNode(5, 4, runA, appA, workflowA), node(6, 4, "iteration"), node(7, 6, "code"), sqlCall(8, 7)},
		{runner(4, 2, appA, workflowA), generate(2), sqlCall(3, 2), request()},
	}
	single, c := newHarness(t), newChain(t)
	var want, got []ptrace.Traces
	for i, specs := range requests {
		want = append(want, single.traces(t, batchOf(difyProcess(1), specs...)))
		for _, message := range messages(c.gateways[i].traces(t, batchOf(difyProcess(1), specs...))) {
			got = append(got, c.writer.traces(t, message))
		}
	}
	assert.Equal(t, runA, attrs.Text(byID(want[1], 1).Attributes(), difysemconv.AttrWorkflowRunID))
	assert.Equal(t, shown(want...), shown(got...))
}

// The gateway must not rely on the writer: spans that the writer drops pass Kafka, and so do logged exceptions in
// their old form.
func TestNoCanaryLeavesAGateway(t *testing.T) {
	g := newChain(t).gateways[0]
	td := batchOf(
		difyProcess(1),
		startNode(1, 2, runA, appA, workflowA),
		spanSpec{id: 3, scope: emitter.ScopeFlask, name: "GET /health", kind: serverSpan},
		spanSpec{
			id:    4,
			scope: emitter.ScopeLogException,
			name:  spanrepair.EventLogException,
			err:   difysemconv.NoiseParseErrorText + canaries(),
		},
		spanSpec{
			id:     5,
			scope:  emitter.ScopeRedis,
			name:   "BRPOP",
			kind:   clientSpan,
			events: []eventSpec{exception("ValueError", "Failed to detach context "+canaries())},
		},
	)
	for _, s := range spansOf(td) {
		fillWithCanaries(s.Attributes())
		s.Attributes().PutStr(attrs.LogMessage, canaries())
	}
	in := td.SpanCount()
	out := g.traces(t, td)
	assert.Equal(t, in, out.SpanCount())
	assert.NotContains(t, wireTraces(t, out), mark)
}

// checkParts checks the equivalence for any input. The single processor gets the scopes in the same order, since the
// order decides if invalid input repeats span IDs. Redaction of messages is off, since it removes text that the
// writer's noise rules would match, as the README documents.
func checkParts(t *testing.T, td ptrace.Traces) {
	t.Helper()
	plain := func(c *Config) { c.Redaction.Messages = false }
	single, c := newHarness(t, plain), newChain(t, plain)
	in := td.SpanCount()
	for _, s := range spansOf(td) {
		for _, key := range []string{"password", "api_key"} {
			s.Attributes().Remove(key)
			for _, e := range s.Events().All() {
				e.Attributes().Remove(key)
			}
		}
	}
	alike := copyTraces(td)
	sortScopes(&traceBatch{td: alike})
	part := c.gateways[0].traces(t, td)
	require.Equal(t, in, part.SpanCount())
	if in == 0 {
		return
	}
	again := copyTraces(part)
	assert.Equal(t, wireTraces(t, part), wireTraces(t, c.gateways[1].traces(t, again)), "idempotent")
	assert.Equal(t, shown(single.traces(t, alike)), shown(c.writer.traces(t, part)))
	assert.Equal(t, single.dropped(t), c.writer.dropped(t))
	c.assertGatewaysDropNothing(t)
}

func TestPartsOfChaos(t *testing.T) {
	for seed := range uint64(1000) {
		checkParts(t, chaos{rand.New(rand.NewPCG(seed, 0))}.traces())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// The writer of config/scale remembers no process and no app: partitions that are read in another order give the same
// result.
func TestPartitionsInAnotherOrderGiveTheSameResult(t *testing.T) {
	random := chaos{newRandom(t)}
	gateway := newChain(t).gateways[0]
	var partitions [4][]ptrace.Traces
	for _, td := range recordedTraces(t) {
		for _, message := range messages(gateway.traces(t, td)) {
			to := spansOf(message)[0].TraceID()[15] % 4
			partitions[to] = append(partitions[to], message)
		}
	}
	read := func() []string {
		writer := newHarness(t, func(c *Config) { c.Memory.MaxProcesses = 0 })
		var left [4][]ptrace.Traces
		copy(left[:], partitions[:])
		var out []ptrace.Traces
		for len(left[0])+len(left[1])+len(left[2])+len(left[3]) > 0 {
			if i := random.IntN(4); len(left[i]) > 0 {
				out = append(out, writer.traces(t, copyTraces(left[i][0])))
				left[i] = left[i][1:]
			}
		}
		return shown(out...)
	}
	first := read()
	assert.Equal(t, first, read())
}

// An app never changes its tenant, so that a gateway knows it without the trace.
func TestGatewaySetsTheTenantOfAnApp(t *testing.T) {
	gateway := newChain(t).gateways[0]
	first := gateway.traces(t, batchOf(difyProcess(1), runner(4, 2, appA, workflowA)))
	tenant := attrs.Text(byID(first, 4).Attributes(), difysemconv.AttrTenantID)
	require.NotEmpty(t, tenant)
	later := gateway.traces(t, batchOf(difyProcess(1), startNode(5, 9, runB, appA, workflowA)))
	assert.Equal(t, tenant, attrs.Text(byID(later, 5).Attributes(), difysemconv.AttrTenantID))
}
