// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func TestVerifyShutdown(t *testing.T) {
	processortest.VerifyShutdown(t, NewFactory(), createDefaultConfig())
}

func TestShutdownBeforeAndTwice(t *testing.T) {
	f := NewFactory()
	p, err := f.CreateTraces(
		t.Context(),
		processortest.NewNopSettings(metadata.Type),
		f.CreateDefaultConfig(),
		consumertest.NewNop(),
	)
	require.NoError(t, err)
	assert.True(t, p.Capabilities().MutatesData)
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Shutdown(t.Context()))
}

// Data that arrives before the exporters have started is rejected, so that its sender keeps it.
func TestNothingPassesBeforeStart(t *testing.T) {
	f := NewFactory()
	sink := new(consumertest.TracesSink)
	p, err := f.CreateTraces(t.Context(), processortest.NewNopSettings(metadata.Type), f.CreateDefaultConfig(), sink)
	require.NoError(t, err)
	batch := func() ptrace.Traces {
		return batchOf(difyProcess(1), spanSpec{id: 1, scope: emitter.ScopeFlask, name: "GET /x", kind: serverSpan})
	}
	err = p.ConsumeTraces(t.Context(), batch())
	require.ErrorIs(t, err, errNotStarted)
	assert.False(t, consumererror.IsPermanent(err))
	assert.Zero(t, sink.SpanCount())
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeTraces(t.Context(), batch()))
	assert.Equal(t, 1, sink.SpanCount())
	require.NoError(t, p.Shutdown(t.Context()))
}

// The pipelines of one processor share its caches; another processor has its own.
func TestPipelinesShareCaches(t *testing.T) {
	f := NewFactory()
	cfg, other := f.CreateDefaultConfig(), f.CreateDefaultConfig()
	set := processortest.NewNopSettings(metadata.Type)
	metrics, err := f.CreateMetrics(t.Context(), set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	shared, separate := new(consumertest.TracesSink), new(consumertest.TracesSink)
	traces, err := f.CreateTraces(t.Context(), set, cfg, shared)
	require.NoError(t, err)
	others, err := f.CreateTraces(t.Context(), set, other, separate)
	require.NoError(t, err)
	host := componenttest.NewNopHost()
	require.NoError(t, traces.Start(t.Context(), host))
	require.NoError(t, metrics.Start(t.Context(), host))
	require.NoError(t, others.Start(t.Context(), host))

	require.NoError(t, metrics.ConsumeMetrics(t.Context(), flower(1)))
	call := spanSpec{id: 1, scope: emitter.ScopeRedis, name: "GET", kind: clientSpan}
	require.NoError(t, traces.ConsumeTraces(t.Context(), batchOf(difyProcess(1), call)))
	require.NoError(t, others.ConsumeTraces(t.Context(), batchOf(difyProcess(1), call)))
	role := func(sink *consumertest.TracesSink) string {
		return attrs.Text(sink.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes(), difysemconv.AttrRole)
	}
	assert.Equal(t, difysemconv.RoleWorker, role(shared))
	assert.Empty(t, role(separate))
	for _, p := range []component.Component{traces, metrics, others} {
		require.NoError(t, p.Shutdown(t.Context()))
	}
}

// Receivers call a processor concurrently.
func TestConcurrentBatches(t *testing.T) {
	b := newHarness(t)
	batches := recordedTraces(t)
	metrics := recordedMetrics(t)
	in := 0
	for _, td := range batches {
		in += td.SpanCount()
	}
	var mu sync.Mutex
	out := 0
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < len(batches); i += 4 {
				td, _ := b.processTraces(t.Context(), batches[i]) // ErrSkipProcessingData: nothing is left
				mu.Lock()
				out += td.SpanCount()
				mu.Unlock()
			}
			for i := worker; i < len(metrics); i += 4 {
				_, err := b.processMetrics(t.Context(), metrics[i])
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, in, out+b.droppedOf(t, tally.KindSpan))
}
