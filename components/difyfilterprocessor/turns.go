// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"context"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// turns lets one after another through, to what is behind the processor, and none whose context has ended.
//
// A sending queue with `block_on_overflow` stops for ever
// when two that wait for its space give up while two others leave it (open-telemetry/opentelemetry-collector#15700). That is
// what the partitions of a Kafka receiver do when another one joins its group. One that waits alone can't bring it about.
//
// That receiver (v0.136) goes on to the next message of a partition after one that gave up so, about every other time. Were
// that one taken, its offset would be committed and the one before lost.
type turns chan struct{}

func newTurns(cfg *Config) turns {
	if !cfg.OneAtATime {
		return nil
	}
	return make(turns, 1)
}

// take waits for a turn, as long as ctx lasts, and has next called with it.
func (t turns) take(ctx context.Context, next func() error) error {
	select {
	case t <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-t }()
	if err := ctx.Err(); err != nil { // select takes either where both are ready
		return err
	}
	return next()
}

func (t turns) traces(next consumer.Traces) (consumer.Traces, error) {
	if t == nil {
		return next, nil
	}
	return consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
		return t.take(ctx, func() error { return next.ConsumeTraces(ctx, td) })
	}, consumer.WithCapabilities(next.Capabilities()))
}

func (t turns) metrics(next consumer.Metrics) (consumer.Metrics, error) {
	if t == nil {
		return next, nil
	}
	return consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		return t.take(ctx, func() error { return next.ConsumeMetrics(ctx, md) })
	}, consumer.WithCapabilities(next.Capabilities()))
}

func (t turns) logs(next consumer.Logs) (consumer.Logs, error) {
	if t == nil {
		return next, nil
	}
	return consumer.NewLogs(func(ctx context.Context, ld plog.Logs) error {
		return t.take(ctx, func() error { return next.ConsumeLogs(ctx, ld) })
	}, consumer.WithCapabilities(next.Capabilities()))
}
