// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
)

const pendingLine = "2026-11-23 08:37:53.893 ERROR [M] [x.py:6]  - pending until the next"

func startLogs(t *testing.T, set processor.Settings, wait time.Duration, next consumer.Logs) processor.Logs {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Logs.JoinWait = wait
	p, err := NewFactory().CreateLogs(t.Context(), set, cfg, next)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	return p
}

func TestPendingLinesAreFlushedInTime(t *testing.T) {
	sink := new(consumertest.LogsSink)
	p := startLogs(t, processortest.NewNopSettings(metadata.Type), time.Millisecond, sink)
	require.NoError(t, p.ConsumeLogs(t.Context(), dockerBatch(api(pendingLine))))
	require.Eventually(t, func() bool { return sink.LogRecordCount() == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, p.Shutdown(t.Context()))
	assert.Equal(t, 1, sink.LogRecordCount())
}

func TestPendingLinesAreFlushedOnShutdown(t *testing.T) {
	sink := new(consumertest.LogsSink)
	p := startLogs(t, processortest.NewNopSettings(metadata.Type), maxJoinWait, sink)
	require.NoError(t, p.ConsumeLogs(t.Context(), dockerBatch(api(pendingLine))))
	assert.Zero(t, sink.LogRecordCount())
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Shutdown(t.Context()))
	assert.Equal(t, 1, sink.LogRecordCount())
}

// rejecting is a consumer that rejects the given number of calls, and accepts all later ones.
type rejecting struct {
	consumertest.LogsSink
	left atomic.Int32
	with error
}

func (r *rejecting) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	if r.left.Add(-1) >= 0 {
		return r.with
	}
	return r.LogsSink.ConsumeLogs(ctx, ld)
}

func TestRejectedLinesAreSentAgain(t *testing.T) {
	next := &rejecting{with: errors.New("queue is full")}
	next.left.Store(3)
	p := startLogs(t, processortest.NewNopSettings(metadata.Type), time.Millisecond, next)
	require.NoError(t, p.ConsumeLogs(t.Context(), dockerBatch(api(pendingLine))))
	require.Eventually(t, func() bool { return next.LogRecordCount() == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, p.Shutdown(t.Context()))
	assert.Equal(t, 1, next.LogRecordCount())
}

func TestRejectionOnShutdownIsReturned(t *testing.T) {
	next := &rejecting{with: errors.New("queue is full")}
	next.left.Store(1 << 30)
	p := startLogs(t, processortest.NewNopSettings(metadata.Type), maxJoinWait, next)
	require.NoError(t, p.ConsumeLogs(t.Context(), dockerBatch(api(pendingLine))))
	require.ErrorIs(t, p.Shutdown(t.Context()), next.with)
}

// A full queue blocks its senders, and the collector gives Shutdown no deadline.
func TestShutdownDoesNotBlock(t *testing.T) {
	stuck, err := consumer.NewLogs(func(ctx context.Context, _ plog.Logs) error {
		<-ctx.Done()
		return ctx.Err()
	})
	require.NoError(t, err)
	core, logged := observer.New(zap.ErrorLevel)
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	p := startLogs(t, set, maxJoinWait, stuck)
	p.(*flusher).timeout = time.Millisecond
	require.NoError(t, p.ConsumeLogs(t.Context(), dockerBatch(api(pendingLine))))
	require.ErrorIs(t, p.Shutdown(context.WithoutCancel(t.Context())), context.DeadlineExceeded)
	require.Equal(t, 1, logged.Len())
	assert.EqualValues(t, 1, logged.All()[0].ContextMap()["records"])
}

// A rejected batch and pending entries are sent together.
func TestRejectedAndPendingAreSentOnShutdown(t *testing.T) {
	next := &rejecting{with: errors.New("queue is full")}
	next.left.Store(1 << 30)
	p := startLogs(t, processortest.NewNopSettings(metadata.Type), time.Millisecond, next)
	require.NoError(t, p.ConsumeLogs(t.Context(), dockerBatch(api(pendingLine))))
	require.Eventually(t, func() bool { return next.left.Load() < 1<<30 }, time.Minute, time.Millisecond)
	require.NoError(t, p.ConsumeLogs(t.Context(), dockerBatch(api(pendingLine))))
	next.left.Store(0)
	require.NoError(t, p.Shutdown(t.Context()))
	assert.Equal(t, 2, next.LogRecordCount())
}

func TestPermanentlyRejected(t *testing.T) {
	core, logged := observer.New(zap.ErrorLevel)
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	next := &rejecting{with: consumererror.NewPermanent(errors.New("no"))}
	next.left.Store(1 << 30)
	p := startLogs(t, set, maxJoinWait, next)
	require.NoError(t, p.ConsumeLogs(t.Context(), dockerBatch(api(pendingLine))))
	require.NoError(t, p.Shutdown(t.Context()))
	require.Equal(t, 1, logged.Len())
	assert.EqualValues(t, 1, logged.All()[0].ContextMap()["records"])
	assert.NotContains(t, logged.All()[0].Message, "pending until")
}
