// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/checkpoint"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// appLogsPerPoll is approximately how many rows of workflow_app_logs one poll reads.
const appLogsPerPoll = 2000

// appLogsPoll is one poll of workflow_app_logs, for rows whose run is not in the database.
type appLogsPoll struct {
	poller  *poller
	conn    source.Conn
	now     time.Time // by the database's clock
	tracker *tracker.AppLogs
}

func (p *poller) appLogs(conn source.Conn, now time.Time) *appLogsPoll {
	return &appLogsPoll{poller: p, conn: conn, now: now, tracker: p.saver.state.AppLogs}
}

func (a *appLogsPoll) poll(ctx context.Context) error {
	if !a.poller.processor.deliversLogs() {
		return nil
	}
	if a.tracker.FollowDue(a.now) {
		if err := a.follow(ctx); err != nil {
			return err
		}
	}
	due, begins := a.tracker.ScanDue(a.now)
	if begins {
		if err := a.expire(ctx); err != nil {
			return err
		}
		a.tracker.BeginScan(a.now)
	}
	if !due {
		return nil
	}
	next, err := a.read(ctx, a.tracker.ScanAt())
	if err != nil {
		return err
	}
	a.tracker.Scanned(next.place)
	return nil
}

// follow reads the next part of the first scan or, once that has caught up, the end of the table.
func (a *appLogsPoll) follow(ctx context.Context) error {
	end, err := a.conn.AppLogsEnd(ctx)
	if err != nil {
		return err
	}
	next, err := a.read(ctx, a.tracker.At)
	if err != nil {
		return err
	}
	if unordered := a.tracker.Followed(next.rows, next.place, end, a.now); unordered {
		a.poller.logger.Info("This database does not store workflow_app_logs in the order of time: " +
			"to find runs that are not in the database, the receiver scans the table slowly and repeatedly")
	}
	return nil
}

// appLogsPart is a part of the table, and the place after it.
type appLogsPart struct {
	rows  []source.AppLog
	place string
}

// read reads the part of the table at a place, and delivers those of its rows that have no run.
func (a *appLogsPoll) read(ctx context.Context, place string) (appLogsPart, error) {
	rows, next, err := a.conn.ScanAppLogs(ctx, place, appLogsPerPoll)
	if err != nil {
		return appLogsPart{}, err
	}
	err = a.loadProcessed(ctx, rows)
	if err != nil {
		return appLogsPart{}, err
	}
	missing, err := a.withoutRun(ctx, a.tracker.Candidates(rows, a.now))
	if err != nil {
		return appLogsPart{}, err
	}
	return appLogsPart{rows, next}, a.deliver(ctx, missing)
}

// loadProcessed loads the processed IDs that the rows need.
func (a *appLogsPoll) loadProcessed(ctx context.Context, rows []source.AppLog) error {
	store, processed := a.poller.saver.store, a.tracker.Processed
	for _, row := range rows {
		if !a.tracker.Covers(row.CreatedAt) {
			continue
		}
		if err := store.LoadProcessed(ctx, checkpoint.AppLogs, processed, tracker.MinuteOf(row.CreatedAt)); err != nil {
			return err
		}
	}
	return nil
}

func (a *appLogsPoll) deliver(ctx context.Context, rows []source.AppLog) error {
	if len(rows) == 0 {
		return nil
	}
	unknown := make([]outcome.Outcome, len(rows))
	for i, row := range rows {
		unknown[i] = outcome.FromAppLog(row)
	}
	if err := a.poller.enricher.Name(ctx, a.conn, unknown, a.now); err != nil {
		return err
	}
	if err := a.poller.processor.processUnknown(ctx, unknown); err != nil {
		return err
	}
	a.tracker.Delivered(rows)
	return nil
}

// withoutRun returns those of the rows whose run is not in the database.
func (a *appLogsPoll) withoutRun(ctx context.Context, rows []source.AppLog) ([]source.AppLog, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.RunID
	}
	found, err := a.conn.Existing(ctx, ids)
	if err != nil {
		return nil, err
	}
	existing := make(map[string]bool, len(found))
	for _, id := range found {
		existing[id] = true
	}
	var missing []source.AppLog
	for _, row := range rows {
		if !existing[row.RunID] {
			missing = append(missing, row)
		}
	}
	return missing, nil
}

// expire drops the processed IDs that are no longer needed.
func (a *appLogsPoll) expire(ctx context.Context) error {
	from, to, floor := a.tracker.Expired(a.now)
	if err := a.poller.saver.store.DropProcessed(ctx, checkpoint.AppLogs, a.tracker.Processed, from, to); err != nil {
		return err
	}
	a.tracker.Floor = floor
	return nil
}
