// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/health"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// lockInterval is how often a waiting receiver tries to acquire the lock.
const lockInterval = 2 * time.Second

// lease lets one receiver at a time read a database. It is an advisory lock that lives as long as the connection that
// reads. A receiver without the lease emits no metrics, since the other one counts.
type lease struct {
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	status    *health.Status
	database  *health.FailureLog
	fresh     *health.Freshness
	metrics   *deliver.Metrics // nil without a metrics pipeline

	waiting bool
	warned  bool
}

// acquire waits until this receiver is the only reader, the context ends or the connection fails.
func (l *lease) acquire(ctx context.Context, conn source.Conn) error {
	for {
		unlocked, err := conn.Lock(ctx)
		switch {
		case errors.Is(err, source.ErrLockHeld):
			l.wait(ctx, err)
			if !backoff.Sleep(ctx, lockInterval) {
				return ctx.Err()
			}
			continue
		case err != nil:
			return err
		case unlocked != nil && !l.warned:
			l.warned = true
			if errors.Is(unlocked, source.ErrPooled) {
				l.logger.Warn("The database is reached through a connection pooler, which cannot hold a lock: " +
					"make sure that only one collector reads this database, or connect without the pooler")
				break
			}
			l.logger.Warn("The receiver cannot lock the database and reads it without a lock: "+
				"make sure that only one collector reads it", zap.NamedError("reason", unlocked))
		}
		l.fresh.Begin()
		if l.waiting {
			l.waiting = false
			l.logger.Info("The other workflow_log receiver has stopped; this one continues from its own checkpoint")
		}
		return nil
	}
}

func (l *lease) wait(ctx context.Context, err error) {
	l.telemetry.WorkflowLogReading.Record(ctx, 0)
	l.database.Ended() // the database itself works
	l.fresh.Suspend()
	if l.waiting {
		return
	}
	l.waiting = true
	l.status.Report(err)
	l.logger.Info("Another workflow_log receiver reads this database; this one waits until that one stops")
	if l.metrics != nil {
		l.metrics.Suspend()
	}
}
