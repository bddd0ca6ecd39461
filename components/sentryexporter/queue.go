// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/delivery"
)

// openTracesQueue returns a function that creates queues of transactions. exporterhelper has queues for pdata only: an
// empty ptrace.Traces passes through, and the items are in the context.
func openTracesQueue(cfg *Config) delivery.OpenFunc {
	return func(
		ctx context.Context, set exporter.Settings, push xexporterhelper.RequestConsumeFunc,
	) (*delivery.Queue, error) {
		inner, err := xexporterhelper.NewTracesRequest(ctx, set,
			func(ctx context.Context, _ ptrace.Traces) (xexporterhelper.Request, error) {
				return delivery.RequestFrom(ctx)
			},
			push, queueOptions(cfg)...)
		if err != nil {
			return nil, err
		}
		empty := ptrace.NewTraces()
		return newQueue(inner, cfg, func(ctx context.Context) error { return inner.ConsumeTraces(ctx, empty) }), nil
	}
}

// openLogsQueue returns a function that creates queues of logs and errors, like openTracesQueue.
func openLogsQueue(cfg *Config) delivery.OpenFunc {
	return func(
		ctx context.Context, set exporter.Settings, push xexporterhelper.RequestConsumeFunc,
	) (*delivery.Queue, error) {
		inner, err := xexporterhelper.NewLogsRequest(ctx, set,
			func(ctx context.Context, _ plog.Logs) (xexporterhelper.Request, error) {
				return delivery.RequestFrom(ctx)
			},
			push, queueOptions(cfg)...)
		if err != nil {
			return nil, err
		}
		empty := plog.NewLogs()
		return newQueue(inner, cfg, func(ctx context.Context) error { return inner.ConsumeLogs(ctx, empty) }), nil
	}
}

func newQueue(c component.Component, cfg *Config, offer func(context.Context) error) *delivery.Queue {
	settings := cfg.QueueConfig.Get()
	return delivery.NewQueue(c, offer, settings != nil && !settings.WaitForResult)
}

func queueOptions(cfg *Config) []exporterhelper.Option {
	retry := cfg.RetryConfig
	retry.MaxElapsedTime = 0 // the pusher gives up itself, so that it can count and report what it gives up
	return []exporterhelper.Option{
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}), // `timeout` applies to each HTTP request
		exporterhelper.WithRetry(retry),
		xexporterhelper.WithQueueBatch(cfg.QueueConfig, xexporterhelper.QueueBatchSettings{Encoding: delivery.Encoding{}}),
	}
}
