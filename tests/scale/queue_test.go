// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// A full queue continues after all senders that wait for it give up, as the partitions of a Kafka receiver do at each
// rebalance. Up to v0.162 of the collector, it stops within the first of these rounds (core#15700).
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

	for range 20 {
		session, end := context.WithCancel(t.Context())
		var partitions sync.WaitGroup
		for range 12 {
			partitions.Go(func() {
				for session.Err() == nil {
					td := ptrace.NewTraces()
					td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
					_ = exporter.ConsumeTraces(session, td)
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
	require.NoError(t, exporter.Shutdown(t.Context()))
}
