// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
)

const (
	firstRetry   = 20 * time.Millisecond
	longestRetry = 10 * time.Second
)

// deliverer hands records to the pipeline until it takes them.
type deliverer struct {
	next      consumer.Logs // nil: there is no logs pipeline
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	pause     backoff // between two offers
	trouble   trouble
}

func newDeliverer(next consumer.Logs, obs *receiverhelper.ObsReport, telemetry *metadata.TelemetryBuilder, logger *zap.Logger, longest time.Duration) *deliverer {
	return &deliverer{
		next:      next,
		obs:       obs,
		telemetry: telemetry,
		logger:    logger,
		pause:     backoff{first: firstRetry, longest: longest},
		trouble: trouble{
			logger: logger,
			began:  "The logs pipeline refuses; the runs wait in the database and are offered again",
			over:   "The logs pipeline takes runs again",
		},
	}
}

// deliver returns when the pipeline has taken the records (refused = 0) or has refused some for good. An error means
// that the context ended first. The records are made anew for each attempt, since the pipeline may have changed them.
func (d *deliverer) deliver(ctx context.Context, build func() plog.Logs) (refused int, err error) {
	if d.next == nil {
		return 0, nil
	}
	d.pause.reset()
	for {
		logs := build()
		records := logs.LogRecordCount()
		err := d.consume(ctx, logs, records)
		switch {
		case err == nil:
			d.trouble.ended()
			return 0, nil
		case refusedForGood(err):
			d.logger.Error("The logs pipeline refused runs for good; they are not offered again", zap.Error(err), zap.Int("runs", records))
			return records, nil
		}
		if part, ok := remainder(err); ok {
			build = func() plog.Logs { return copyOf(part) }
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		d.trouble.failed(err, time.Now())
		d.telemetry.WorkflowLogDeliverRetries.Add(ctx, 1)
		if !d.pause.wait(ctx) {
			return 0, ctx.Err()
		}
	}
}

func (d *deliverer) consume(ctx context.Context, logs plog.Logs, records int) error {
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
