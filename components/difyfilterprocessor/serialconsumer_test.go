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

// A full queue continues after all senders that wait for it give up, as the partitions of a Kafka receiver do at each
// rebalance. Up to v0.162 of the collector, it stops within the first of these rounds without one_at_a_time.
func TestFullQueueContinuesAfterSendersGiveUp(t *testing.T) {
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.QueueSize, queue.NumConsumers, queue.BlockOnOverflow = 200, 4, true
	queue.Batch = configoptional.Some(
		exporterhelper.BatchConfig{Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 32, FlushTimeout: time.Second},
	)
	sink := &consumertest.TracesSink{}
	exporter, err := exporterhelper.NewTraces(
		t.Context(),
		exportertest.NewNopSettings(component.MustNewType("queued")),
		struct{}{},
		sink.ConsumeTraces,
		exporterhelper.WithQueue(configoptional.Some(queue)),
	)
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
			require.Fail(t, "a sender that gave up does not return")
		}
	}
	require.NoError(t, filter.Shutdown(t.Context()))
	require.NoError(t, exporter.Shutdown(t.Context()))
}

// A request that waits ends with its context and does not reach the next component.
func TestSerializerWaitEndsWithContext(t *testing.T) {
	s := make(serializer, 1)
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- s.do(t.Context(), func() error { close(begun); <-release; return nil })
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.do(ctx, func() error { assert.Fail(t, "another call is in progress"); return nil })
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	require.NoError(t, <-ended)
	require.NoError(t, s.do(t.Context(), func() error { return nil }))
}

// A message that a Kafka receiver sends after its session ended must not pass: the receiver would commit an offset
// beyond the message that gave up before.
func TestSerializerRejectsEndedContext(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.OneAtATime = true
	sink := &consumertest.TracesSink{}
	next, err := newSerializer(cfg).traces(sink)
	require.NoError(t, err)
	ended, end := context.WithCancel(t.Context())
	end()
	for range 100 {
		require.ErrorIs(t, next.ConsumeTraces(ended, ptrace.NewTraces()), context.Canceled)
	}
	assert.Empty(t, sink.AllTraces())
}
