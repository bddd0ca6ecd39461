// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// The batches of one trace may arrive in any order, and concurrently: a span that is kept if the whole trace arrives
// in one batch is kept, and its run, app and new parent are the same as in that case, or absent. (Spans above a run,
// and within a nested run, are exceptions: see the README.)

// aTrace returns a request with a run, a nested run, calls, and noise in between.
func aTrace(random chaos) []spanSpec {
	specs := []spanSpec{
		{id: 1, scope: emitter.ScopeFlask, name: "POST /v1/workflows/run", kind: serverSpan},
		runner(2, 1, appA, workflowA),
		startNode(3, 2, runA, appA, workflowA),
		node(4, 2, "tool"),
		runner(5, 4, appB, workflowB),
		startNode(6, 5, runB, appB, workflowB),
	}
	inside := []byte{2, 3, 4, 5, 6}
	for id := byte(7); id < 40; id++ {
		parent := one(random, inside)
		switch random.IntN(4) {
		case 0:
			specs = append(specs, spanSpec{id: id, parent: parent, scope: scopeRunners, name: "noise"})
			inside = append(inside, id)
		case 1:
			specs = append(specs, node(id, parent, "code"))
			inside = append(inside, id)
		case 2:
			specs = append(specs, spanSpec{id: id, parent: parent, scope: scopeRunners, name: "work"})
			inside = append(inside, id)
		default:
			specs = append(
				specs,
				spanSpec{id: id, parent: parent, scope: emitter.ScopeSQL, name: "SELECT dify", kind: clientSpan},
			)
		}
	}
	return specs
}

func orderHarness(t *testing.T) *harness {
	t.Helper()
	return newHarness(t, func(c *Config) {
		c.Drop.Rules = []RuleConfig{{Name: "noise", Drops: noise.DropsSpan, SpanName: "noise"}}
	})
}

// split distributes spans over batches, in order within each batch.
func split(random chaos, specs []spanSpec) [][]spanSpec {
	batches := make([][]spanSpec, 1+random.IntN(8))
	for _, s := range specs {
		i := random.IntN(len(batches))
		batches[i] = append(batches[i], s)
	}
	random.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	return batches
}

// atOnce processes batches concurrently.
func (b *harness) atOnce(t *testing.T, batches [][]spanSpec) map[byte]placed {
	t.Helper()
	var mu sync.Mutex
	left := map[byte]placed{}
	var wg sync.WaitGroup
	for _, specs := range batches {
		wg.Go(func() {
			td, _ := b.processTraces(t.Context(), batchOf(difyProcess(1), specs...)) // ErrSkipProcessingData: nothing is left
			mu.Lock()
			defer mu.Unlock()
			for _, s := range spansOf(td) {
				left[s.SpanID()[7]] = s
			}
		})
	}
	wg.Wait()
	return left
}

func TestBatchesOfATraceInAnyOrder(t *testing.T) {
	random := chaos{newRandom(t)}
	for range 200 {
		specs := aTrace(random)
		whole := orderHarness(t).atOnce(t, [][]spanSpec{specs})
		parents := map[byte]byte{}
		for _, s := range specs {
			parents[s.id] = s.parent
		}
		b, batches := orderHarness(t), split(random, specs)
		first := b.atOnce(t, batches)
		for id, want := range whole {
			got, kept := first[id]
			if !assert.True(t, kept, "span %d", id) {
				continue
			}
			assertSameOrLess(t, want, got)
			assert.True(
				t,
				isBetween(parents, got.ParentSpanID()[7], id, want.ParentSpanID()[7]),
				"the parent of span %d is on its path to the root",
				id,
			)
		}
		assert.Len(t, first, len(whole))
	}
}

func assertSameOrLess(t *testing.T, want, got placed) {
	t.Helper()
	assert.Equal(t, want.Name(), got.Name())
	assert.Equal(t, want.Status().Code(), got.Status().Code())
	id := got.SpanID()[7]
	if id == 1 { // above the runs
		return
	}
	for _, key := range []string{
		difysemconv.AttrWorkflowRunID, difysemconv.AttrAppID, difysemconv.AttrTenantID,
		difysemconv.AttrWorkflowID,
	} {
		if value := attrs.Text(got.Attributes(), key); value != "" {
			assert.Equal(t, attrs.Text(want.Attributes(), key), value, "span %d, %s", id, key)
		}
	}
}

// isBetween reports whether parent is on the path from a span up to top, its parent once everything is known.
func isBetween(parents map[byte]byte, parent, id, top byte) bool {
	for at := parents[id]; ; at = parents[at] {
		if at == parent {
			return true
		}
		if at == top || at == 0 {
			return false
		}
	}
}
