// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/checkpoint"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/enrich"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/health"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	firstReconnect = 250 * time.Millisecond
	maxReconnect   = 10 * time.Second
	closeTimeout   = 2 * time.Second

	// minIdle is the shortest pause after which the end of a connection may be due to an idle timeout.
	minIdle = time.Second

	// unindexedInterval is the pause between polls of tables that lack an index.
	unindexedInterval = time.Minute

	// inspectInterval is how often the schema, the privileges and the time zone are determined again. While the time zone
	// is not known, that is done more often.
	inspectInterval     = time.Hour
	inspectZoneInterval = 5 * time.Second
)

// poller is the one goroutine that owns the state. It connects, acquires the lease, and then polls until the
// connection fails. The parts of a poll are in files of their own: poll_runs.go, poll_late.go and poll_applogs.go.
type poller struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	connector source.Connector
	enricher  *enrich.Enricher

	lease     *lease
	saver     *saver
	processor *processor
	status    *health.Status
	database  *health.FailureLog
	fresh     *health.Freshness

	pause        backoff.Backoff // between connections
	schema       source.Schema
	inspected    time.Time
	schemaLog    health.SchemaLog
	messagesRead time.Time // when they were, by the database's clock
}

// run uses one connection after the other until the context ends. It saves what has been delivered by then.
func (p *poller) run(ctx context.Context) {
	defer p.saver.saveOnShutdown(ctx)
	p.fresh.Begin()
	countFromZero(ctx, p.telemetry)
	p.pause = backoff.Backoff{Initial: firstReconnect, Max: maxReconnect}
	for {
		err := p.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if idle, ok := errors.AsType[*idleError](err); ok {
			p.logger.Debug("The connection to Dify's database has ended between two polls", zap.Error(idle.reason))
			continue
		}
		p.telemetry.WorkflowLogPolls.Add(ctx, 1, metric.WithAttributeSet(resultFailed))
		p.telemetry.WorkflowLogReading.Record(ctx, 0)
		p.database.Failed(err)
		p.status.Report(err)
		if !p.pause.Wait(ctx) {
			return
		}
	}
}

// succeeded records that the database works.
func (p *poller) succeeded(ctx context.Context) {
	p.pause.Reset()
	p.telemetry.WorkflowLogReading.Record(ctx, 1)
	p.database.Ended()
	p.status.Report(nil)
}

// idleError means that a connection that worked ended between two polls: the receiver closed it, or the server or a
// pooler did, which is not a failure.
type idleError struct{ reason error }

func (e *idleError) Error() string { return "between two polls: " + e.reason.Error() }

var errLongInterval = errors.New("closed, since `poll_interval` is long")

// session uses one connection until it fails.
func (p *poller) session(ctx context.Context) error {
	conn, err := p.connector.Connect(ctx)
	if err != nil {
		return p.cfg.server().Explain(err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = conn.Close(closing)
	}()
	for _, prepare := range []func(context.Context, source.Conn) error{p.lease.acquire, p.inspect, p.begin} {
		if err := prepare(ctx, conn); err != nil {
			return err
		}
	}
	// What the last connection delivered before it failed may be unsaved, and only what is saved may be published.
	if err := p.saver.save(ctx); err != nil {
		return err
	}
	p.saver.publish()
	for polls := 0; ; polls++ {
		// The time is read before the tables, so that it is never later than what they show.
		now, err := conn.Now(ctx, p.cfg.LookBack)
		if err != nil && polls > 0 && (p.pollInterval() >= minIdle || errors.Is(err, source.ErrIdle)) {
			return &idleError{err}
		}
		if err != nil {
			return err
		}
		if err := p.poll(ctx, conn, now); err != nil {
			return err
		}
		p.telemetry.WorkflowLogPolls.Add(ctx, 1, metric.WithAttributeSet(resultOK))
		p.fresh.Now()
		p.succeeded(ctx)
		if p.cfg.PollInterval > maxConnectedInterval {
			break
		}
		if !p.saver.wait(ctx, p.pollInterval()) {
			return ctx.Err()
		}
		if err := p.inspectIfDue(ctx, conn); err != nil {
			return err
		}
	}
	return p.disconnect(ctx, conn)
}

// disconnect waits for the next poll without a connection.
func (p *poller) disconnect(ctx context.Context, conn source.Conn) error {
	closing, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	_ = conn.Close(closing)
	if !p.saver.wait(ctx, p.pollInterval()) {
		return ctx.Err()
	}
	return &idleError{errLongInterval}
}

// pollInterval is longer if each poll scans a whole table.
func (p *poller) pollInterval() time.Duration {
	if len(p.schema.Scans()) > 0 {
		return max(p.cfg.PollInterval, unindexedInterval)
	}
	return p.cfg.PollInterval
}

// inspect determines what can be read, and how. What is expensive or omitted is logged once, and again when it
// changes.
func (p *poller) inspect(ctx context.Context, conn source.Conn) error {
	schema, err := conn.Inspect(ctx)
	if err != nil {
		return err
	}
	p.schema, p.inspected = schema, time.Now()
	p.schemaLog.Warn(p.logger, schema)
	observeParts(ctx, p.telemetry, &schema)
	return nil
}

func (p *poller) inspectIfDue(ctx context.Context, conn source.Conn) error {
	interval := inspectInterval
	if !p.schema.Zone.Known {
		interval = inspectZoneInterval
	}
	if time.Since(p.inspected) < interval {
		return nil
	}
	return p.inspect(ctx, conn)
}

// begin determines the start position if there is no checkpoint, and saves it before anything is read.
func (p *poller) begin(ctx context.Context, conn source.Conn) error {
	if p.saver.state != nil {
		return nil
	}
	start, end, err := p.cfg.start()
	if err != nil {
		return err
	}
	now, err := conn.Now(ctx, p.cfg.LookBack)
	if err != nil {
		return err
	}
	if end {
		start = now.UTC
		if p.cfg.protocol() == driverMySQL {
			start = start.Truncate(time.Second) // as its columns are
		}
	}
	local, err := conn.Local(ctx, start)
	if err != nil {
		return err
	}
	state := checkpoint.NewState(p.cfg.limits(), source.Clock{UTC: start, Local: local}, now)
	state.AppLogs.Begin(now.UTC)
	if end {
		if state.AppLogs.At, err = conn.AppLogsEnd(ctx); err != nil {
			return err
		}
		state.AppLogs.CaughtUp = true
	}
	p.saver.state = state
	if err := p.saver.save(ctx); err != nil {
		p.saver.state = nil
		return err
	}
	position := start.Format(time.RFC3339Nano)
	if start.IsZero() {
		position = "the first run in the database"
	}
	p.logger.Warn(
		"There is no checkpoint: this is treated as the first start. Runs that ended before the position are not reported",
		zap.String("start_at", p.cfg.StartAt), zap.String("position", position), zap.String("database", p.cfg.address()),
	)
	return nil
}

// poll reads what is due, delivers it, and saves the result.
func (p *poller) poll(ctx context.Context, conn source.Conn, clock source.Clock) error {
	now := clock.UTC
	if err := p.runs(conn, clock).poll(ctx); err != nil {
		return err
	}
	if p.messagesDue(now) {
		p.messagesRead = now
		if err := p.messages(conn, clock).poll(ctx); err != nil {
			return err
		}
	}
	if err := p.audit(ctx, conn, now); err != nil {
		return err
	}
	if err := p.appLogs(conn, now).poll(ctx); err != nil {
		return err
	}
	p.telemetry.WorkflowLogOpenRuns.Record(ctx, int64(p.saver.state.Runs.Open.Len()))
	if err := p.saver.save(ctx); err != nil {
		return err
	}
	p.saver.state.Arrival.Polled(time.Now())
	p.saver.observeWaiting(now)
	if err := p.saver.measureTables(ctx, conn, &p.schema, clock); err != nil {
		return err
	}
	p.saver.publishIfDue()
	return nil
}

// messagesDue reports whether to read messages: at each poll, or once a minute if each app has to be read separately.
func (p *poller) messagesDue(now time.Time) bool {
	if !p.schema.Reads(source.PartMessages) {
		return false
	}
	return p.schema.MessagesByTime || now.Sub(p.messagesRead) >= unindexedInterval
}

// audit counts the next part of the runs that are too old to be reported.
func (p *poller) audit(ctx context.Context, conn source.Conn, now time.Time) error {
	if !p.schema.RunsByTime {
		return nil
	}
	state := p.saver.state
	span, active := state.Audit.Next(now, state.Runs.Floor, p.cfg.MaxRunAge)
	if !active {
		return nil
	}
	var keys []source.Key
	if !span.Empty() {
		var err error
		if keys, err = conn.Keys(ctx, source.Runs, span.After, span.UpTo, span.Limit); err != nil {
			return err
		}
	}
	p.processor.observeTooOld(ctx, state.Audit.Counted(span, keys))
	return nil
}
