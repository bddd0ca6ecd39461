// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"cmp"
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/record"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	// appLogsPerPoll is about how many rows of workflow_app_logs one poll reads.
	appLogsPerPoll = 2000
	// longestIdle is how long the end of the table is left alone when nothing there was due.
	appLogsIdleInterval = time.Minute
)

// findOrphans looks for app logs whose run is not in the database.
func (r *reader) findMissingRuns(ctx context.Context, conn source.Conn, now time.Time) error {
	if !r.deliverer.Enabled() {
		return nil
	}
	o := r.state.appLogs
	if !o.CaughtUp || o.At != "" {
		if err := r.followAppLogs(ctx, conn, o, now); err != nil {
			return err
		}
	}
	if o.CaughtUp {
		return r.scanAppLogs(ctx, conn, o, now)
	}
	return nil
}

// followAppLogs is the first walk, and where the table has an end, the place where it stays. The first walk does not stop
// at young rows: they may stand in holes, with old ones behind them.
func (r *reader) followAppLogs(ctx context.Context, conn source.Conn, o *appLogs, now time.Time) error {
	if now.Before(r.appLogsIdle) {
		return nil
	}
	end, err := conn.AppLogsEnd(ctx)
	if err != nil {
		return err
	}
	rows, next, err := conn.ScanAppLogs(ctx, o.At, appLogsPerPoll)
	if err != nil {
		return err
	}
	if err := r.deliverUnknown(ctx, conn, o, rows, now); err != nil {
		return err
	}
	young := o.young(rows, now)
	switch {
	case o.CaughtUp && young: // stay before them
	case next != "":
		o.pass(young)
		o.At = next
		return nil
	case end != "":
		o.pass(young)
		o.At = cmp.Or(o.behind, end)
	default:
		o.At = end
	}
	if !o.CaughtUp && o.At == "" {
		r.logger.Info("This database does not store workflow_app_logs in the order of time: to find runs that are not in the database, " +
			"the receiver scans the table slowly and repeatedly")
	}
	o.CaughtUp = true
	r.appLogsIdle = now.Add(min(appLogsIdleInterval, o.wait/4))
	return nil
}

// scanAppLogs goes through the whole table, a part at each poll.
func (r *reader) scanAppLogs(ctx context.Context, conn source.Conn, o *appLogs, now time.Time) error {
	if !o.active {
		if now.Sub(o.began) < o.wait {
			return nil
		}
		if err := r.forgetAppLogs(ctx, o, now); err != nil {
			return err
		}
		o.active, o.began, o.again = true, now, ""
	}
	rows, next, err := conn.ScanAppLogs(ctx, o.again, appLogsPerPoll)
	if err != nil {
		return err
	}
	if err := r.deliverUnknown(ctx, conn, o, rows, now); err != nil {
		return err
	}
	o.again, o.active = next, next != ""
	return nil
}

func (r *reader) forgetAppLogs(ctx context.Context, o *appLogs, now time.Time) error {
	floor := minuteOf(now.Add(-o.keep)).time()
	dropped, err := o.processed.drop(ctx, r.client, minuteOf(o.Floor), minuteOf(floor))
	if err != nil {
		return err
	}
	r.state.dropped = append(r.state.dropped, dropped...)
	if floor.After(o.Floor) {
		o.Floor = floor
	}
	return nil
}

// tellOrphans tells those of the rows that have no run.
func (r *reader) deliverUnknown(ctx context.Context, conn source.Conn, o *appLogs, rows []source.AppLog, now time.Time) error {
	for _, row := range rows {
		if o.covers(row.CreatedAt) {
			if err := o.processed.load(ctx, r.client, minuteOf(row.CreatedAt)); err != nil {
				return err
			}
		}
	}
	lost, err := r.withoutRun(ctx, conn, o.candidates(rows, now))
	if err != nil || len(lost) == 0 {
		return err
	}
	unknown := make([]outcome.Outcome, len(lost))
	for i, row := range lost {
		unknown[i] = outcome.FromAppLog(row)
	}
	named := r.enricher.Name(ctx, conn, unknown, now)
	if named != nil {
		return named
	}
	refused, err := r.deliver(ctx, record.Events{Unknown: outcome.Pointers(unknown)})
	if err != nil {
		return err
	}
	o.delivered(lost)
	r.observe(ctx, outcomeRejected, refused)
	r.observe(ctx, outcomeUnknown, len(lost)-refused)
	r.logger.Debug("App logs have no run in the database", zap.Int("app_logs", len(lost)))
	return nil
}

func (r *reader) withoutRun(ctx context.Context, conn source.Conn, rows []source.AppLog) ([]source.AppLog, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.RunID
	}
	existing, err := conn.Existing(ctx, ids)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(existing))
	for _, id := range existing {
		there[id] = true
	}
	var lost []source.AppLog
	for _, row := range rows {
		if !there[row.RunID] {
			lost = append(lost, row)
		}
	}
	return lost, nil
}
