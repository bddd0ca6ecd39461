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

// serializer passes one request at a time to the next component, and none whose context has ended.
//
// Up to v0.162, a sending queue with `block_on_overflow` stops permanently if two senders that wait for space give up
// while two others leave the queue (open-telemetry/opentelemetry-collector#15700). The partitions of a Kafka receiver
// do that when a consumer joins the group. A single waiting sender can't cause it.
//
// After a request gave up, the Kafka receiver (v0.136) may continue with the next message of the same partition. If
// the serializer accepted that message, its offset would be committed and the message before it would be lost.
type serializer chan struct{}

func newSerializer(cfg *Config) serializer {
	if !cfg.OneAtATime {
		return nil
	}
	return make(serializer, 1)
}

// do calls next when no other call is in progress. It returns the error of ctx if that ends first.
func (s serializer) do(ctx context.Context, next func() error) error {
	select {
	case s <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s }()
	if err := ctx.Err(); err != nil { // select chooses either if both are ready
		return err
	}
	return next()
}

func (s serializer) traces(next consumer.Traces) (consumer.Traces, error) {
	if s == nil {
		return next, nil
	}
	return consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
		return s.do(ctx, func() error { return next.ConsumeTraces(ctx, td) })
	}, consumer.WithCapabilities(next.Capabilities()))
}

func (s serializer) metrics(next consumer.Metrics) (consumer.Metrics, error) {
	if s == nil {
		return next, nil
	}
	return consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		return s.do(ctx, func() error { return next.ConsumeMetrics(ctx, md) })
	}, consumer.WithCapabilities(next.Capabilities()))
}

func (s serializer) logs(next consumer.Logs) (consumer.Logs, error) {
	if s == nil {
		return next, nil
	}
	return consumer.NewLogs(func(ctx context.Context, ld plog.Logs) error {
		return s.do(ctx, func() error { return next.ConsumeLogs(ctx, ld) })
	}, consumer.WithCapabilities(next.Capabilities()))
}
