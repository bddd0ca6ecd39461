// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package deliver sends logs and metrics to their pipelines, and distinguishes temporary from permanent errors.
package deliver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/health"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
)

const (
	firstRetry = 20 * time.Millisecond
	// MaxRetryInterval is the default for the longest pause between two attempts.
	MaxRetryInterval = 10 * time.Second
)

// Logs sends records to the pipeline until the pipeline accepts them.
type Logs struct {
	next     consumer.Logs // nil without a logs pipeline
	obs      *receiverhelper.ObsReport
	retrying func(context.Context)
	logger   *zap.Logger
	pause    backoff.Backoff // between two attempts
	failures *health.FailureLog
}

// NewLogs returns a Logs for the pipeline, which is nil if there is none. It calls retrying before each retry and
// waits at most maxRetryInterval between two attempts.
func NewLogs(
	next consumer.Logs, obs *receiverhelper.ObsReport, retrying func(context.Context), logger *zap.Logger,
	maxRetryInterval time.Duration,
) *Logs {
	return &Logs{
		next:     next,
		obs:      obs,
		retrying: retrying,
		logger:   logger,
		pause:    backoff.Backoff{Initial: firstRetry, Max: maxRetryInterval},
		failures: health.NewFailureLog(
			logger, "The logs pipeline refused records; the runs wait in the database, and the records are sent again",
			"The logs pipeline accepts records again",
		),
	}
}

// Enabled reports whether there is a logs pipeline.
func (d *Logs) Enabled() bool { return d.next != nil }

// Deliver returns when the pipeline has accepted the records (rejected = 0) or has permanently rejected some of them.
// An error means that the context ended first. The records are built again for each attempt, since the pipeline may
// have changed them.
func (d *Logs) Deliver(ctx context.Context, build func() plog.Logs) (rejected int, err error) {
	if d.next == nil {
		return 0, nil
	}
	d.pause.Reset()
	for {
		logs := build()
		records := logs.LogRecordCount()
		err := d.consume(ctx, logs, records)
		switch {
		case err == nil:
			d.failures.Ended()
			return 0, nil
		case PermanentlyRejected(err):
			d.logger.Error(
				"The logs pipeline permanently rejected records; they are not sent again", zap.Error(err),
				zap.Int("records", records),
			)
			return records, nil
		}
		if part, ok := remainder(err); ok {
			build = func() plog.Logs { return copyOf(part) }
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		d.failures.Failed(err)
		d.retrying(ctx)
		if !d.pause.Wait(ctx) {
			return 0, ctx.Err()
		}
	}
}

func (d *Logs) consume(ctx context.Context, logs plog.Logs, records int) error {
	obsCtx := d.obs.StartLogsOp(ctx)
	err := d.next.ConsumeLogs(obsCtx, logs)
	d.obs.EndLogsOp(obsCtx, metadata.Type.String(), records, err)
	return err
}

func copyOf(logs plog.Logs) plog.Logs {
	fresh := plog.NewLogs()
	logs.CopyTo(fresh)
	return fresh
}
