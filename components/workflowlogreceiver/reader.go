// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	firstReconnect   = 250 * time.Millisecond
	longestReconnect = 10 * time.Second
	lockInterval     = 2 * time.Second
	closeTimeout     = 2 * time.Second
	publishInterval  = time.Second
	keysPerPage      = 10_000
)

// reader is the one goroutine that owns the tail and the metrics: connect, lock, poll, deliver, save.
type reader struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	status    *status
	connector source.Connector
	client    storage.Client

	tail    *tail       // nil until there is a start position
	metrics *runMetrics // nil with the tail

	enricher  *enricher
	deliverer *deliverer
	recorder  *recorder
	emitter   *emitter // nil: there is no metrics pipeline

	pause             backoff // between connections
	database, storage trouble
	warnedPooler      bool
	waiting           bool // for another reader
	unpublished       bool
	published         time.Time
}

// run goes from one connection to the next until the context ends.
func (r *reader) run(ctx context.Context) {
	r.pause = backoff{first: firstReconnect, longest: longestReconnect}
	for {
		err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		r.telemetry.WorkflowLogPolls.Add(ctx, 1, metric.WithAttributeSet(resultFailed))
		r.telemetry.WorkflowLogReading.Record(ctx, 0)
		r.database.failed(err, time.Now())
		r.status.report(err)
		if !r.pause.wait(ctx) {
			return
		}
	}
}

// worked notes that the database does what is asked of it.
func (r *reader) worked(ctx context.Context) {
	r.pause.reset()
	r.telemetry.WorkflowLogReading.Record(ctx, 1)
	r.database.ended()
	r.status.report(nil)
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
	if err := r.lock(ctx, conn); err != nil {
		return err
	}
	if err := r.begin(ctx, conn); err != nil {
		return err
	}
	r.publish(true)
	for {
		if err := r.poll(ctx, conn); err != nil {
			return err
		}
		r.telemetry.WorkflowLogPolls.Add(ctx, 1, metric.WithAttributeSet(resultOK))
		r.worked(ctx)
		if !sleep(ctx, r.cfg.PollInterval) {
			return ctx.Err()
		}
	}
}

// lock waits until this is the only reader. The lock lives and dies with the connection that reads.
func (r *reader) lock(ctx context.Context, conn source.Conn) error {
	for {
		exclusive, err := conn.Lock(ctx)
		switch {
		case errors.Is(err, source.ErrLockHeld):
			r.wait(ctx, err)
			if !sleep(ctx, lockInterval) {
				return ctx.Err()
			}
			continue
		case err != nil:
			return err
		case !exclusive && !r.warnedPooler:
			r.warnedPooler = true
			r.logger.Warn("The database is reached through a connection pooler, where no lock can be held: " +
				"see to it that only one collector reads this database, or connect past the pooler")
		}
		if r.waiting {
			r.waiting = false
			r.logger.Info("The other workflow_log receiver is gone; this one reads on from its own checkpoint")
		}
		return nil
	}
}

func (r *reader) wait(ctx context.Context, err error) {
	r.telemetry.WorkflowLogReading.Record(ctx, 0)
	r.database.ended() // the database itself is well
	if r.waiting {
		return
	}
	r.waiting = true
	r.status.report(err)
	r.logger.Info("Another workflow_log receiver reads this database; this one waits until it is gone")
	if r.emitter != nil {
		r.emitter.silence()
	}
}

// begin finds the start position where there is no checkpoint, and saves it before anything is read.
func (r *reader) begin(ctx context.Context, conn source.Conn) error {
	if r.tail != nil {
		return nil
	}
	start, end, err := r.cfg.start()
	if err != nil {
		return err
	}
	if end {
		if start, err = conn.Now(ctx); err != nil {
			return err
		}
		if r.cfg.protocol() == driverMySQL {
			start = start.Truncate(time.Second) // as its columns do
		}
	}
	t, m := newTail(r.cfg, start), newRunMetrics(r.cfg.MaxApps)
	if err := r.save(ctx, t, m); err != nil {
		return err
	}
	r.tail, r.metrics = t, m
	position := start.Format(time.RFC3339Nano)
	if start.IsZero() {
		position = "the first run in the database"
	}
	r.logger.Warn("There is no checkpoint: this is taken as the first start. Runs that ended before the position are not told",
		zap.String("start_at", r.cfg.StartAt), zap.String("position", position), zap.String("database", r.cfg.address()))
	return nil
}

// poll reads what is due: first the open runs, then late ones, then new ones.
func (r *reader) poll(ctx context.Context, conn source.Conn) error {
	// Read before the tables, so that what it says of them is never too much.
	now, err := conn.Now(ctx)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, source.Conn, time.Time) error{r.visitOpen, r.readAgain, r.readOn} {
		if err := step(ctx, conn, now); err != nil {
			return err
		}
	}
	r.telemetry.WorkflowLogOpenRuns.Record(ctx, int64(len(r.tail.open)))
	r.publish(false)
	return nil
}

func (r *reader) visitOpen(ctx context.Context, conn source.Conn, now time.Time) error {
	for ids := range slices.Chunk(r.tail.due(now), r.cfg.PageSize) {
		runs, err := conn.Runs(ctx, ids)
		if err != nil {
			return err
		}
		if err := r.take(ctx, conn, r.tail.visited(ids, runs, now), now); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) readAgain(ctx context.Context, conn source.Conn, now time.Time) error {
	after, upTo, full, needed := r.tail.rescan()
	if !needed {
		return nil
	}
	var settled *source.Position
	for more := true; more; {
		keys, err := conn.Keys(ctx, after, upTo, keysPerPage)
		if err != nil {
			return err
		}
		if err := r.readLate(ctx, conn, r.tail.unseen(keys), now); err != nil {
			return err
		}
		if mark := r.tail.settle(keys, now); mark != nil {
			settled = mark
		}
		if more = len(keys) == keysPerPage; more {
			after = keys[len(keys)-1].Position()
		}
	}
	if !full {
		return nil
	}
	if mark := r.tail.settleAll(now); mark != nil {
		settled = mark
	}
	r.tail.apply(batch{settled: settled})
	return nil
}

func (r *reader) readLate(ctx context.Context, conn source.Conn, ids []string, now time.Time) error {
	for part := range slices.Chunk(ids, r.cfg.PageSize) {
		runs, err := conn.Runs(ctx, part)
		if err != nil {
			return err
		}
		if err := r.take(ctx, conn, r.tail.late(runs, now), now); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) readOn(ctx context.Context, conn source.Conn, now time.Time) error {
	after := r.tail.position
	for {
		page, err := conn.Page(ctx, after, r.cfg.PageSize)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		if err := r.take(ctx, conn, r.tail.walked(page, now), now); err != nil {
			return err
		}
		if len(page) < r.cfg.PageSize {
			return nil
		}
		after = page[len(page)-1].Position()
		r.worked(ctx)
		r.publish(false)
	}
}

// telling is a batch with what other tables know of its runs.
type telling struct {
	ended, stuck, opened []outcome
}

// take delivers a batch, and then, and only then, changes the state and saves it.
func (r *reader) take(ctx context.Context, conn source.Conn, b batch, now time.Time) error {
	told, err := r.enrich(ctx, conn, b, now)
	if err != nil {
		return err
	}
	refused := 0
	if len(told.ended)+len(told.stuck) > 0 {
		refused, err = r.deliverer.deliver(ctx, func() plog.Logs { return r.recorder.records(told.ended, told.stuck, time.Now()) })
		if err != nil {
			return err
		}
	}
	changed := r.tail.apply(b)
	changed = r.count(told) || changed
	if changed {
		if err := r.save(ctx, r.tail, r.metrics); err != nil {
			return err
		}
	}
	r.observe(ctx, b, refused)
	return nil
}

func (r *reader) enrich(ctx context.Context, conn source.Conn, b batch, now time.Time) (told telling, err error) {
	if told.opened, err = r.enricher.name(ctx, conn, b.opened, now); err != nil {
		return telling{}, err
	}
	if told.ended, err = r.enricher.name(ctx, conn, b.ended, now); err != nil {
		return telling{}, err
	}
	if told.stuck, err = r.enricher.name(ctx, conn, b.stuck, now); err != nil {
		return telling{}, err
	}
	return told, r.complete(ctx, conn, told.ended, told.stuck)
}

func (r *reader) complete(ctx context.Context, conn source.Conn, parts ...[]outcome) error {
	for _, outcomes := range parts {
		unreadable, err := r.enricher.complete(ctx, conn, outcomes)
		if err != nil {
			return err
		}
		r.telemetry.WorkflowLogUsageUnreadable.Add(ctx, int64(unreadable))
	}
	return nil
}

func (r *reader) count(told telling) (changed bool) {
	now := time.Now()
	for _, run := range told.opened {
		changed = r.metrics.see(run.labels(), run.TriggeredFrom, now) || changed
	}
	for _, run := range told.ended {
		r.metrics.count(run, now)
		changed = true
	}
	r.unpublished = r.unpublished || changed
	return changed
}

// observe counts what became of the runs of a batch.
func (r *reader) observe(ctx context.Context, b batch, refused int) {
	told := int64(len(b.ended))
	if refused > 0 {
		r.telemetry.WorkflowLogRuns.Add(ctx, int64(refused), metric.WithAttributeSet(outcomeRefused))
		told = max(0, told-int64(refused))
	}
	r.telemetry.WorkflowLogRuns.Add(ctx, told, metric.WithAttributeSet(outcomeTold))
	r.telemetry.WorkflowLogRuns.Add(ctx, int64(len(b.stuck)), metric.WithAttributeSet(outcomeStuck))
	r.telemetry.WorkflowLogRuns.Add(ctx, int64(b.muted), metric.WithAttributeSet(outcomeBeforeStart))
	r.telemetry.WorkflowLogLateRuns.Add(ctx, int64(b.late))
}

// save stores the state. A storage that cannot take it, such as a full disk, is waited for: the state must not go on
// without it.
func (r *reader) save(ctx context.Context, t *tail, m *runMetrics) error {
	pause := backoff{first: firstRetry, longest: longestRetry}
	for {
		data, err := encodeCheckpoint(r.cfg, t, m)
		if err != nil {
			return err
		}
		if err = r.client.Set(ctx, checkpointKey, data); err == nil {
			r.storage.ended()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.telemetry.WorkflowLogCheckpointFailures.Add(ctx, 1)
		r.storage.failed(err, time.Now())
		r.status.report(err)
		if !pause.wait(ctx) {
			return ctx.Err()
		}
	}
}

// publish gives the emitter the metrics as they are saved, not too often while a backlog is read.
func (r *reader) publish(always bool) {
	if r.emitter == nil || !always && (!r.unpublished || time.Since(r.published) < min(publishInterval, r.cfg.PollInterval)) {
		return
	}
	r.unpublished, r.published = false, time.Now()
	r.emitter.publish(r.metrics.build(r.recorder.resource, r.recorder.scope))
}
