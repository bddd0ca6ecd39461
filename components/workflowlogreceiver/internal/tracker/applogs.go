// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"cmp"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// idleInterval is how long the end of the table is not read when nothing there was due.
const idleInterval = time.Minute

// AppLogs decides which rows of workflow_app_logs have been without their run for so long that they are reported
// alone: with Dify's log store the run is never in the database.
//
// The table has no index by time, so it is read in storage order, from the beginning or, if start_at says so, from the
// end. On PostgreSQL new rows are appended, so the first scan stays at the end, before rows that may still get their
// run. Rows that fill a hole are found by scanning the whole table again, slowly and repeatedly. On MySQL, which
// stores rows by ID, that is the only way.
//
// These invariants hold between two calls:
//   - Every row since Floor that has been reported is in Processed. An older row is reported only by the first scan.
//   - The first scan never stops before a row that was old enough to be reported: it passes young rows, and returns to
//     the first of them when it has reached the end.
//   - Nothing counts as reported but by Delivered, which the caller calls after the pipeline has accepted the rows.
type AppLogs struct {
	AppLogsSnapshot
	Processed *ProcessedIDs

	start time.Time
	wait  time.Duration
	keep  time.Duration // how long processed IDs are kept

	firstYoung string    // the place of the first young rows that the first scan has passed
	idleUntil  time.Time // the end of the table need not be read before

	scanAt     string    // where the scan of the whole table continues
	scanBegan  time.Time // when it began
	scanActive bool      // whether it is in progress
}

// AppLogsSnapshot is the part that is stored with each batch. Its JSON names are names on disk.
type AppLogsSnapshot struct {
	Floor    time.Time `json:"floor"`               // Processed is complete from this time on
	At       string    `json:"at"`                  // where the first scan continues
	CaughtUp bool      `json:"caught_up,omitempty"` // it has reached the end of the table, and now follows it
}

// NewAppLogs returns an AppLogs that reports rows since start that have been without their run for wait.
func NewAppLogs(start time.Time, wait, maxRunAge time.Duration) *AppLogs {
	return &AppLogs{start: start, wait: wait, keep: max(maxRunAge, 2*wait), Processed: NewProcessedIDs()}
}

// Begin sets the floor of a first start.
func (a *AppLogs) Begin(now time.Time) { a.Floor = MinuteOf(now.Add(-a.keep)).Time() }

// Covers reports whether Processed has a place for a row of that time.
func (a *AppLogs) Covers(createdAt time.Time) bool { return !createdAt.Before(a.Floor) }

// Candidates returns the rows that are reported if they have no run.
func (a *AppLogs) Candidates(rows []source.AppLog, now time.Time) []source.AppLog {
	var found []source.AppLog
	for _, row := range rows {
		age := now.Sub(row.CreatedAt)
		switch {
		case row.CreatedAt.Before(a.start), age < a.wait:
		case a.Covers(row.CreatedAt) && a.Processed.Has(row.Key):
		case a.CaughtUp && age > a.keep, a.CaughtUp && !a.Covers(row.CreatedAt):
			// reported by the first scan, or appeared too late
		default:
			found = append(found, row)
		}
	}
	return found
}

// Delivered records that rows have been delivered.
func (a *AppLogs) Delivered(rows []source.AppLog) {
	for _, row := range rows {
		if a.Covers(row.CreatedAt) {
			a.Processed.add(row.Key)
		}
	}
}

// FollowDue reports whether the first scan, or the end of the table, has to be read.
func (a *AppLogs) FollowDue(now time.Time) bool {
	return (!a.CaughtUp || a.At != "") && !now.Before(a.idleUntil)
}

// Followed records what was read at At: rows, the place after them, which is "" at the end, and the place at which the
// table grows, which is "" if rows are inserted anywhere. It reports whether the first scan has just found out the
// latter.
func (a *AppLogs) Followed(rows []source.AppLog, next, end string, now time.Time) (unordered bool) {
	young := a.young(rows, now)
	switch {
	case a.CaughtUp && young: // stay before them
	case next != "":
		a.pass(young)
		a.At = next
		return false
	case end != "":
		a.pass(young)
		a.At = cmp.Or(a.firstYoung, end)
	default:
		a.At = end
	}
	unordered = !a.CaughtUp && a.At == ""
	a.CaughtUp = true
	a.idleUntil = now.Add(min(idleInterval, a.wait/4))
	return unordered
}

// young reports whether a row may still get its run.
func (a *AppLogs) young(rows []source.AppLog, now time.Time) bool {
	for _, row := range rows {
		if now.Sub(row.CreatedAt) < a.wait {
			return true
		}
	}
	return false
}

// pass records that the first scan continues past these rows.
func (a *AppLogs) pass(young bool) {
	switch {
	case !young:
		a.firstYoung = ""
	case a.firstYoung == "":
		a.firstYoung = a.At
	}
}

// ScanDue reports whether a part of the whole table has to be read, and whether that begins a new scan.
func (a *AppLogs) ScanDue(now time.Time) (due, begins bool) {
	if !a.CaughtUp {
		return false, false
	}
	if a.scanActive {
		return true, false
	}
	begins = now.Sub(a.scanBegan) >= a.wait
	return begins, begins
}

// BeginScan begins a scan of the whole table.
func (a *AppLogs) BeginScan(now time.Time) { a.scanActive, a.scanBegan, a.scanAt = true, now, "" }

// ScanAt returns where the scan of the whole table continues.
func (a *AppLogs) ScanAt() string { return a.scanAt }

// Scanned records how far the scan has come.
func (a *AppLogs) Scanned(next string) { a.scanAt, a.scanActive = next, next != "" }

// Expired returns the minutes, from one up to another, whose processed IDs are no longer needed, and the floor after
// their removal.
func (a *AppLogs) Expired(now time.Time) (from, to Minute, floor time.Time) {
	limit := MinuteOf(now.Add(-a.keep))
	floor = a.Floor
	if limit.Time().After(floor) {
		floor = limit.Time()
	}
	return MinuteOf(a.Floor), limit, floor
}
