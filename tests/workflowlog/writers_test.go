// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlog

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const (
	ordinaryWriters = 3
	lateWriters     = 3

	// openAtOnce is the number of concurrent runs of a writer.
	openAtOnce = 40
)

var (
	tenant   = uuid.NewString()
	apps     = []string{uuid.NewString(), uuid.NewString(), uuid.NewString(), uuid.NewString()}
	statuses = []string{"succeeded", "failed", "partial-succeeded", "stopped"}
	triggers = []string{"app-run", "debugging", "webhook", "schedule"}
)

func insertApps(t *testing.T, db *dify) {
	t.Helper()
	require.NoError(t, db.insert(t.Context(), db, "tenants", row{"id": tenant, "name": "Acme"}))
	for i, app := range apps {
		require.NoError(t, db.insert(t.Context(), db, "apps", row{
			"id": app, "tenant_id": tenant, "name": fmt.Sprintf("App %d", i), "mode": "workflow", "enable_site": true,
			"enable_api": true,
		}))
	}
}

// run is what a row of workflow_runs becomes when it ends.
type run struct {
	id, app, trigger, status string
	elapsed                  float64 // multiples of a value that single precision can represent
	tokens, nodes            int
}

func newRun(rng *rand.Rand) run {
	r := run{
		id: uuid.NewString(), app: pick(rng, apps), trigger: pick(rng, triggers), status: pick(rng, statuses),
		elapsed: float64(rng.IntN(400)) / 4, nodes: rng.IntN(3),
	}
	r.tokens = r.nodes * 100
	return r
}

func newRuns(rng *rand.Rand, n int) []run {
	runs := make([]run, n)
	for i := range runs {
		runs[i] = newRun(rng)
	}
	return runs
}

func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// running returns the row when the run starts.
func (r run) running(createdAt time.Time) row {
	return row{
		"id": r.id, "tenant_id": tenant, "app_id": r.app, "workflow_id": r.app, "type": "workflow",
		"triggered_from": r.trigger, "version": "1",
		"graph": "{}", "inputs": "{}", "status": "running", "created_by_role": "end_user", "created_by": tenant,
		"created_at": createdAt,
	}
}

// ended returns the row of a run that is inserted only after it has ended.
func (r run) ended(createdAt time.Time) row {
	ended := r.running(createdAt)
	ended["status"], ended["finished_at"] = r.status, createdAt
	ended["elapsed_time"], ended["total_tokens"] = r.elapsed, r.tokens
	return ended
}

func (r run) appLog() row {
	return row{
		"id": uuid.NewSHA1(uuid.Nil, []byte(r.id)).
			String(),
		"tenant_id": tenant, "app_id": r.app, "workflow_id": r.app, "workflow_run_id": r.id,
		"created_from": "service-api", "created_by_role": "end_user", "created_by": tenant,
	}
}

// modelNodes returns the node executions that used the run's tokens.
func (r run) modelNodes() []row {
	var rows []row
	for i := range r.nodes {
		rows = append(rows, row{
			"id": uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%s/%d", r.id, i)).
				String(),
			"tenant_id": tenant, "app_id": r.app, "workflow_id": r.app,
			"triggered_from": "workflow-run", "workflow_run_id": r.id, "index": i, "node_id": "llm", "node_type": "llm",
			"title": "Ask", "status": "succeeded",
			"execution_metadata": `{"total_tokens": 100, "total_price": "0.0125", "currency": "USD"}`,
			"created_by_role":    "end_user", "created_by": tenant,
		})
	}
	return rows
}

// writers write like Dify until finish is called, whatever happens to the database.
type writers struct {
	db   *dify
	ctx  context.Context
	seed uint64
	hold time.Duration // the longest time that a late writer keeps a transaction open

	finishing chan struct{}
	group     sync.WaitGroup

	mu   sync.Mutex // guards open
	open []run      // without an owner: the next ordinary writer ends them
}

func startWriters(t *testing.T, db *dify, seed uint64, hold time.Duration) *writers {
	t.Helper()
	w := &writers{db: db, ctx: t.Context(), seed: seed, hold: hold, finishing: make(chan struct{})}
	for i := range ordinaryWriters {
		w.group.Go(func() { w.ordinary(w.rng(i)) })
	}
	for i := range lateWriters {
		w.group.Go(func() { w.late(w.rng(ordinaryWriters + i)) })
	}
	return w
}

func (w *writers) rng(stream int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, uint64(stream)))
}

// finish returns when every run has ended.
func (w *writers) finish() {
	close(w.finishing)
	w.group.Wait()
}

// pause waits, and reports whether to continue.
func (w *writers) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.finishing:
		return false
	case <-w.ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// adopt passes started runs to the ordinary writers.
func (w *writers) adopt(runs ...run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = append(w.open, runs...)
}

func (w *writers) adopted() []run {
	w.mu.Lock()
	defer w.mu.Unlock()
	open := w.open
	w.open = nil
	return open
}

// ordinary starts and ends runs, each step in a separate transaction, not in the order of their start.
func (w *writers) ordinary(rng *rand.Rand) {
	var open []run
	for more := true; more; more = w.pause(upTo(rng, 20*time.Millisecond)) {
		started := newRuns(rng, 1+rng.IntN(5))
		w.start(started)
		open = append(append(open, started...), w.adopted()...)
		for len(open) > openAtOnce {
			i := rng.IntN(len(open))
			w.end(open[i])
			open = slices.Delete(open, i, i+1)
		}
	}
	for _, r := range append(open, w.adopted()...) {
		w.end(r)
	}
}

func (w *writers) start(runs []run) {
	w.commit(func(tx *sql.Tx) error {
		now, rows := time.Now(), make([]row, len(runs))
		for i, r := range runs {
			rows[i] = r.running(now) // at the same time
		}
		return w.db.insert(w.ctx, tx, "workflow_runs", rows...)
	})
	w.commit(func(tx *sql.Tx) error { return w.appLogs(tx, runs) })
}

func (w *writers) appLogs(tx *sql.Tx, runs []run) error {
	rows := make([]row, len(runs))
	for i, r := range runs {
		rows[i] = r.appLog()
	}
	return w.db.insert(w.ctx, tx, "workflow_app_logs", rows...)
}

func (w *writers) nodes(tx *sql.Tx, r run) error {
	if r.nodes == 0 {
		return nil
	}
	return w.db.insert(w.ctx, tx, "workflow_node_executions", r.modelNodes()...)
}

func (w *writers) end(r run) {
	w.commit(func(tx *sql.Tx) error { return w.nodes(tx, r) })
	w.commit(func(tx *sql.Tx) error {
		_, err := tx.ExecContext(
			w.ctx,
			w.db.bind("UPDATE workflow_runs SET status = ?, finished_at = ?, elapsed_time = ?, total_tokens = ? WHERE id = ?"),
			r.status, value(time.Now()), r.elapsed, r.tokens, r.id,
		)
		return err
	})
}

// late inserts runs that have ended, with times that others have, too, and commits after newer ones have been read.
func (w *writers) late(rng *rand.Rand) {
	for more := true; more; more = w.pause(upTo(rng, 50*time.Millisecond)) {
		runs, hold := newRuns(rng, 1+rng.IntN(20)), upTo(rng, w.hold)
		w.commit(func(tx *sql.Tx) error {
			at, rows := time.Now().Truncate(time.Second), make([]row, len(runs))
			for i, r := range runs {
				rows[i] = r.ended(at)
				if err := w.nodes(tx, r); err != nil {
					return err
				}
			}
			if err := w.db.insert(w.ctx, tx, "workflow_runs", rows...); err != nil {
				return err
			}
			if err := w.appLogs(tx, runs); err != nil {
				return err
			}
			w.pause(hold)
			return nil
		})
	}
}

// commit repeats a transaction until it is known to be committed.
func (w *writers) commit(work func(*sql.Tx) error) {
	for w.ctx.Err() == nil {
		if w.try(work) == nil {
			return
		}
		timer := time.NewTimer(100 * time.Millisecond) // the database is unavailable
		select {
		case <-w.ctx.Done():
		case <-timer.C:
		}
	}
}

func (w *writers) try(work func(*sql.Tx) error) error {
	tx, err := w.db.BeginTx(w.ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}
