// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
)

// A full queue goes on when all that wait for it give up, again and again, as the partitions of a Kafka receiver do at each
// rebalance. Without one_at_a_time it stops within the first of these rounds.
func TestAFullQueueGoesOnWhenManyGiveUp(t *testing.T) {
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.QueueSize, queue.NumConsumers, queue.BlockOnOverflow = 200, 4, true
	queue.Batch = configoptional.Some(exporterhelper.BatchConfig{Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 32, FlushTimeout: time.Second})
	sink := &consumertest.TracesSink{}
	exporter, err := exporterhelper.NewTraces(t.Context(), exportertest.NewNopSettings(component.MustNewType("queued")), struct{}{},
		sink.ConsumeTraces, exporterhelper.WithQueue(configoptional.Some(queue)))
	require.NoError(t, err)
	require.NoError(t, exporter.Start(t.Context(), componenttest.NewNopHost()))
	cfg := createDefaultConfig().(*Config)
	cfg.OneAtATime = true
	filter, err := NewFactory().CreateTraces(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, exporter)
	require.NoError(t, err)
	require.NoError(t, filter.Start(t.Context(), componenttest.NewNopHost()))

	for range 20 {
		session, end := context.WithCancel(t.Context())
		var partitions sync.WaitGroup
		for range 12 {
			partitions.Go(func() {
				for session.Err() == nil {
					td := ptrace.NewTraces()
					td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
					_ = filter.ConsumeTraces(session, td)
				}
			})
		}
		before := sink.SpanCount()
		require.Eventually(t, func() bool { return sink.SpanCount() >= before+2000 }, time.Minute, time.Millisecond)
		end()
		ended := make(chan struct{})
		go func() { partitions.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			require.Fail(t, "what gave up does not end")
		}
	}
	require.NoError(t, filter.Shutdown(t.Context()))
	require.NoError(t, exporter.Shutdown(t.Context()))
}

// Who waits for a turn gives up with its context, and has not gone on then.
func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	turn := make(turns, 1)
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- turn.take(t.Context(), func() error { close(begun); <-release; return nil })
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := turn.take(ctx, func() error { assert.Fail(t, "another one has the turn"); return nil })
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	require.NoError(t, <-ended)
	require.NoError(t, turn.take(t.Context(), func() error { return nil }))
}

// What a Kafka receiver offers after its session has ended must not pass: it would commit an offset beyond what gave up.
func TestNothingPassesWhenItsContextHasEnded(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.OneAtATime = true
	sink := &consumertest.TracesSink{}
	next, err := newTurns(cfg).traces(sink)
	require.NoError(t, err)
	ended, end := context.WithCancel(t.Context())
	end()
	for range 100 {
		require.ErrorIs(t, next.ConsumeTraces(ended, ptrace.NewTraces()), context.Canceled)
	}
	assert.Empty(t, sink.AllTraces())
}
