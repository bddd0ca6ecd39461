// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// itemsKey is the key of a context under which finished items pass exporterhelper's door, which takes pdata only.
type itemsKey struct{}

// queue is exporterhelper's chain of queue, telemetry and retry around finished items. Errors, transactions and logs have
// one each, so that a limit on one does not hold up the others.
type queue struct {
	component.Component
	offer func(ctx context.Context) error
	async bool
}

// put hands items over. It returns the items that were not taken, for the caller to count, and an error only if the
// sender upstream should try again: without a queue of our own, or where Consume waits for the result.
func (q *queue) put(ctx context.Context, items []*item.Item) (dropped []*item.Item, err error) {
	err = q.offer(context.WithValue(ctx, itemsKey{}, items))
	switch {
	case err == nil:
		return nil, nil
	case q.async || errors.Is(err, exporterhelper.ErrQueueIsFull):
		return items, nil
	default:
		return nil, err
	}
}

func newTracesQueue(ctx context.Context, set exporter.Settings, cfg *Config, push xexporterhelper.RequestConsumeFunc) (*queue, error) {
	inner, err := xexporterhelper.NewTracesRequest(ctx, set,
		func(ctx context.Context, _ ptrace.Traces) (xexporterhelper.Request, error) { return requestOf(ctx) },
		push, queueOptions(cfg)...)
	if err != nil {
		return nil, err
	}
	empty := ptrace.NewTraces()
	return newQueue(inner, cfg, func(ctx context.Context) error { return inner.ConsumeTraces(ctx, empty) }), nil
}

func newLogsQueue(ctx context.Context, set exporter.Settings, cfg *Config, push xexporterhelper.RequestConsumeFunc) (*queue, error) {
	inner, err := xexporterhelper.NewLogsRequest(ctx, set,
		func(ctx context.Context, _ plog.Logs) (xexporterhelper.Request, error) { return requestOf(ctx) },
		push, queueOptions(cfg)...)
	if err != nil {
		return nil, err
	}
	empty := plog.NewLogs()
	return newQueue(inner, cfg, func(ctx context.Context) error { return inner.ConsumeLogs(ctx, empty) }), nil
}

func newQueue(c component.Component, cfg *Config, offer func(context.Context) error) *queue {
	settings := cfg.QueueConfig.Get()
	return &queue{Component: c, offer: offer, async: settings != nil && !settings.WaitForResult}
}

func requestOf(ctx context.Context) (xexporterhelper.Request, error) {
	items, ok := ctx.Value(itemsKey{}).([]*item.Item)
	if !ok {
		return nil, consumererror.NewPermanent(errors.New("no items"))
	}
	return &request{items: items}, nil
}

func queueOptions(cfg *Config) []exporterhelper.Option {
	retry := cfg.RetryConfig
	retry.MaxElapsedTime = 0 // pusher gives up itself, so that it can count and report what it gives up
	return []exporterhelper.Option{
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}), // `timeout` is the HTTP client's, for each request
		exporterhelper.WithRetry(retry),
		xexporterhelper.WithQueueBatch(cfg.QueueConfig, xexporterhelper.QueueBatchSettings{Encoding: encoding{}}),
	}
}
