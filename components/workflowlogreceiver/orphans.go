// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// orphans decides which rows of workflow_app_logs are without their run for so long that they are told alone: with
// Dify's log store the run is never in the database. It does no I/O.
//
// The table has no index in the order of time, so it is walked in the order in which it is stored, from the beginning
// or from the end as start_at says. On PostgreSQL new rows come to the end, and there the walk stays, behind rows that
// may still get their run. Rows that fill a hole are found by going through the whole table again and again, slowly. On
// MySQL, which stores rows by id, that is the only way. Which young rows have been told is in the ledger.
type orphans struct {
	start  time.Time
	wait   time.Duration
	keep   time.Duration // how long the ledger remembers
	ledger *ledger
	orphanState

	behind string    // the place of the young rows that the first walk has just passed
	again  string    // where the walk through the whole table stands
	began  time.Time // when it began
	active bool      // whether it is under way
}

// orphanState is what the checkpoint holds.
type orphanState struct {
	Floor    time.Time `json:"floor"`               // the ledger is whole from here on
	At       string    `json:"at"`                  // where the first walk stands
	CaughtUp bool      `json:"caught_up,omitempty"` // it has come to the end, and now follows it
}

func newOrphans(cfg *Config, start time.Time) *orphans {
	return &orphans{start: start, wait: cfg.OutcomeWait, keep: max(cfg.MaxRunAge, 2*cfg.OutcomeWait), ledger: newLedger("app_logs")}
}

// candidates are the rows that are told if they have no run.
func (o *orphans) candidates(rows []source.AppLog, now time.Time) []source.AppLog {
	var found []source.AppLog
	for _, row := range rows {
		age := now.Sub(row.CreatedAt)
		switch {
		case row.CreatedAt.Before(o.start), age < o.wait:
		case o.remembers(row.CreatedAt) && o.ledger.has(row.Key):
		case o.CaughtUp && age > o.keep, o.CaughtUp && !o.remembers(row.CreatedAt):
			// was told by the first walk, or appears too late
		default:
			found = append(found, row)
		}
	}
	return found
}

func (o *orphans) remembers(createdAt time.Time) bool { return !createdAt.Before(o.Floor) }

// young says whether a row may still get its run.
func (o *orphans) young(rows []source.AppLog, now time.Time) bool {
	for _, row := range rows {
		if now.Sub(row.CreatedAt) < o.wait {
			return true
		}
	}
	return false
}

// pass notes that the first walk goes on.
func (o *orphans) pass(young bool) {
	switch {
	case !young:
		o.behind = ""
	case o.behind == "":
		o.behind = o.At
	}
}

// told notes what has been told.
func (o *orphans) told(rows []source.AppLog) {
	for _, row := range rows {
		if o.remembers(row.CreatedAt) {
			o.ledger.add(row.Key)
		}
	}
}

// orphan makes an outcome of an app log without a run.
func orphan(row source.AppLog) outcome {
	return outcome{
		Run: source.Run{
			Key:           source.Key{ID: row.RunID, CreatedAt: row.CreatedAt},
			TenantID:      row.TenantID,
			AppID:         row.AppID,
			WorkflowID:    row.WorkflowID,
			CreatedByRole: row.CreatedByRole,
			CreatedBy:     row.CreatedBy,
		},
		appLog: row,
	}
}
