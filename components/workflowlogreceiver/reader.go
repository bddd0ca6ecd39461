// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/enrich"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/health"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/record"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	firstReconnect   = 250 * time.Millisecond
	longestReconnect = 10 * time.Second
	lockInterval     = 2 * time.Second
	closeTimeout     = 2 * time.Second

	// gentleInterval is the pause between polls that have no index to go by.
	unindexedInterval = time.Minute
)

// reader is the one goroutine that owns the state: connect, lock, poll, deliver, save.
type reader struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	status    *health.Status
	connector source.Connector
	client    storage.Client

	state *state // nil until there is a start position

	enricher  *enrich.Enricher
	deliverer *deliver.Logs
	recorder  *record.Builder
	emitter   *deliver.Metrics // nil: there is no metrics pipeline

	pause             backoff.Backoff // between connections
	database, storage *health.FailureLog
	warnedPooler      bool
	warnedSchema      string
	waiting           bool // for another reader

	schema       source.Schema
	messagesRead time.Time // when they were, by the database's clock
	appLogsIdle  time.Time // until when the table's end need not be read

	fresh       health.Freshness
	saved       time.Time
	unpublished bool
	published   time.Time
}

// run goes from one connection to the next until the context ends. What was told by then is saved.
func (r *reader) run(ctx context.Context) {
	defer r.saveOnShutdown(ctx)
	r.fresh.Begin()
	r.countFromZero(ctx)
	r.pause = backoff.Backoff{Initial: firstReconnect, Max: longestReconnect}
	for {
		err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		r.telemetry.WorkflowLogPolls.Add(ctx, 1, metric.WithAttributeSet(resultFailed))
		r.telemetry.WorkflowLogReading.Record(ctx, 0)
		r.database.Failed(err)
		r.status.Report(err)
		if !r.pause.Wait(ctx) {
			return
		}
	}
}

// countFromZero lets the counters appear before there is something to count: increase() does not see what one begins with.
func (r *reader) countFromZero(ctx context.Context) {
	for _, outcome := range []attribute.Set{outcomeDelivered, outcomeStuck, outcomeUnknown, outcomeTooOld, outcomeRejected, outcomeBeforeStart} {
		r.telemetry.WorkflowLogRuns.Add(ctx, 0, metric.WithAttributeSet(outcome))
	}
	r.telemetry.WorkflowLogPolls.Add(ctx, 0, metric.WithAttributeSet(resultFailed))
}

// worked notes that the database does what is asked of it.
func (r *reader) succeeded(ctx context.Context) {
	r.pause.Reset()
	r.telemetry.WorkflowLogReading.Record(ctx, 1)
	r.database.Ended()
	r.status.Report(nil)
}

// session uses one connection until it fails.
func (r *reader) session(ctx context.Context) error {
	conn, err := r.connector.Connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = conn.Close(closing)
	}()
	for _, prepare := range []func(context.Context, source.Conn) error{r.lock, r.inspect, r.begin} {
		if err := prepare(ctx, conn); err != nil {
			return err
		}
	}
	// What the last connection told before it failed is not saved yet, and only what is saved may be published.
	if err := r.save(ctx); err != nil {
		return err
	}
	r.publish(true)
	for {
		if err := r.poll(ctx, conn); err != nil {
			return err
		}
		r.telemetry.WorkflowLogPolls.Add(ctx, 1, metric.WithAttributeSet(resultOK))
		r.fresh.Now()
		r.succeeded(ctx)
		if !r.waitForNextPoll(ctx, r.pollInterval()) {
			return ctx.Err()
		}
	}
}

// rest waits for the next poll. What newborn series hold back is told meanwhile.
func (r *reader) waitForNextPoll(ctx context.Context, pause time.Duration) bool {
	for r.emitter != nil && r.unpublished && pause > r.cfg.MetricsInterval {
		if !backoff.Sleep(ctx, r.cfg.MetricsInterval) {
			return false
		}
		pause -= r.cfg.MetricsInterval
		r.publish(true)
	}
	return backoff.Sleep(ctx, pause)
}

// pollInterval is longer where each poll reads a whole table.
func (r *reader) pollInterval() time.Duration {
	if len(r.schema.Scans()) > 0 {
		return max(r.cfg.PollInterval, unindexedInterval)
	}
	return r.cfg.PollInterval
}

// lock waits until this is the only reader. The lock lives and dies with the connection that reads.
func (r *reader) lock(ctx context.Context, conn source.Conn) error {
	for {
		exclusive, err := conn.Lock(ctx)
		switch {
		case errors.Is(err, source.ErrLockHeld):
			r.wait(ctx, err)
			if !backoff.Sleep(ctx, lockInterval) {
				return ctx.Err()
			}
			continue
		case err != nil:
			return err
		case !exclusive && !r.warnedPooler:
			r.warnedPooler = true
			r.logger.Warn("The database is reached through a connection pooler, which cannot hold a lock: " +
				"make sure that only one collector reads this database, or connect without the pooler")
		}
		r.fresh.Begin()
		if r.waiting {
			r.waiting = false
			r.logger.Info("The other workflow_log receiver has stopped; this one continues from its own checkpoint")
		}
		return nil
	}
}

func (r *reader) wait(ctx context.Context, err error) {
	r.telemetry.WorkflowLogReading.Record(ctx, 0)
	r.database.Ended() // the database itself is well
	r.fresh.Suspend()
	if r.waiting {
		return
	}
	r.waiting = true
	r.status.Report(err)
	r.logger.Info("Another workflow_log receiver reads this database; this one waits until that one stops")
	if r.emitter != nil {
		r.emitter.Suspend()
	}
}

// inspect finds out what can be read, and how. What costs or is left out is said once, and again when it changes.
func (r *reader) inspect(ctx context.Context, conn source.Conn) error {
	schema, err := conn.Inspect(ctx)
	if err != nil {
		return err
	}
	r.schema = schema
	scans, left := schema.Scans(), ""
	if schema.Messages != nil {
		left = schema.Messages.Error()
	}
	reported := left + strings.Join(scans, "; ")
	if reported == r.warnedSchema {
		return nil
	}
	r.warnedSchema = reported
	if len(scans) > 0 {
		r.logger.Warn("This Dify schema lacks an index, so each poll scans a whole table; the receiver polls once a minute. "+
			"Upgrade Dify or create the index", zap.Strings("missing", scans))
	}
	if left != "" {
		r.logger.Warn("The table messages cannot be read: tokens and cost of chat, agent and completion apps are not counted until it can be read",
			zap.Error(schema.Messages))
	}
	return nil
}

// begin finds the start position where there is no checkpoint, and saves it before anything is read.
func (r *reader) begin(ctx context.Context, conn source.Conn) error {
	if r.state != nil {
		return nil
	}
	start, end, err := r.cfg.start()
	if err != nil {
		return err
	}
	now, err := conn.Now(ctx)
	if err != nil {
		return err
	}
	if end {
		start = now
		if r.cfg.protocol() == driverMySQL {
			start = start.Truncate(time.Second) // as its columns do
		}
	}
	s := newState(r.cfg, start, now)
	s.appLogs.Floor = minuteOf(now.Add(-s.appLogs.keep)).time()
	if end {
		if s.appLogs.At, err = conn.AppLogsEnd(ctx); err != nil {
			return err
		}
		s.appLogs.CaughtUp = true
	}
	r.state = s
	if err := r.save(ctx); err != nil {
		r.state = nil
		return err
	}
	position := start.Format(time.RFC3339Nano)
	if start.IsZero() {
		position = "the first run in the database"
	}
	r.logger.Warn("There is no checkpoint: this is treated as the first start. Runs that ended before the position are not reported",
		zap.String("start_at", r.cfg.StartAt), zap.String("position", position), zap.String("database", r.cfg.address()))
	return nil
}
