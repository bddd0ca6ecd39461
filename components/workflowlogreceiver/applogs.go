// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// appLogs decides which rows of workflow_app_logs have been without their run for so long that they are reported
// alone: with Dify's log store the run is never in the database. It does no I/O.
//
// The table has no index by time, so it is read in storage order, from the beginning or, if start_at says so, from the
// end. On PostgreSQL new rows are appended, so the scan stays at the end, before rows that may still get their run.
// Rows that fill a hole are found by scanning the whole table again, slowly and repeatedly. On MySQL, which stores
// rows by ID, that is the only way. The processed IDs say which young rows have been reported.
type appLogs struct {
	start     time.Time
	wait      time.Duration
	keep      time.Duration // how long processed IDs are kept
	processed *processedIDs
	appLogsState

	behind string    // the place of the young rows that the first scan has just passed
	again  string    // where the scan of the whole table continues
	began  time.Time // when it began
	active bool      // whether it is in progress
}

// appLogsState is the part that the checkpoint contains.
type appLogsState struct {
	Floor    time.Time `json:"floor"`               // processed is complete from this time on
	At       string    `json:"at"`                  // where the first scan continues
	CaughtUp bool      `json:"caught_up,omitempty"` // it has reached the end of the table, and now follows it
}

func newAppLogs(cfg *Config, start time.Time) *appLogs {
	return &appLogs{start: start, wait: cfg.OutcomeWait, keep: max(cfg.MaxRunAge, 2*cfg.OutcomeWait), processed: newProcessedIDs("app_logs")}
}

// candidates returns the rows that are reported if they have no run.
func (o *appLogs) candidates(rows []source.AppLog, now time.Time) []source.AppLog {
	var found []source.AppLog
	for _, row := range rows {
		age := now.Sub(row.CreatedAt)
		switch {
		case row.CreatedAt.Before(o.start), age < o.wait:
		case o.covers(row.CreatedAt) && o.processed.has(row.Key):
		case o.CaughtUp && age > o.keep, o.CaughtUp && !o.covers(row.CreatedAt):
			// reported by the first scan, or appeared too late
		default:
			found = append(found, row)
		}
	}
	return found
}

func (o *appLogs) covers(createdAt time.Time) bool { return !createdAt.Before(o.Floor) }

// young reports whether a row may still get its run.
func (o *appLogs) young(rows []source.AppLog, now time.Time) bool {
	for _, row := range rows {
		if now.Sub(row.CreatedAt) < o.wait {
			return true
		}
	}
	return false
}

// pass records that the first scan continues past these rows.
func (o *appLogs) pass(young bool) {
	switch {
	case !young:
		o.behind = ""
	case o.behind == "":
		o.behind = o.At
	}
}

// delivered records that rows have been delivered.
func (o *appLogs) delivered(rows []source.AppLog) {
	for _, row := range rows {
		if o.covers(row.CreatedAt) {
			o.processed.add(row.Key)
		}
	}
}
