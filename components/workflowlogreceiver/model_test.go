// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/storagetest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// world is a random history of a database and its poller, driven step by step.
type world struct {
	t       *testing.T
	random  *rand.Rand
	db      *fakeDatabase
	cfg     *Config
	storage *storagetest.Memory
	sink    *sink
	poller  *poller
	limits  tracker.Limits
	serial  int
	pending []source.Run // begun, and not visible yet
	delayed []source.Run // the same, by more than the look-back time
	crashes int
}

func newWorld(t *testing.T, seed uint64, limits tracker.Limits) *world {
	cfg := createDefaultConfig().(*Config)
	cfg.StartAt = startAtBeginning
	cfg.Storage = &storageID
	cfg.PageSize = 5
	cfg.LookBack, cfg.MaxRunAge = time.Minute, 10*time.Minute
	w := &world{
		t:       t,
		random:  rand.New(rand.NewPCG(seed, 0)),
		db:      &fakeDatabase{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)},
		cfg:     cfg,
		storage: newMemory(),
		sink:    &sink{},
		limits:  limits,
	}
	w.boot()
	return w
}

// boot creates a poller that knows only what the checkpoint contains.
func (w *world) boot() {
	set := receivertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	r, err := newReceiver(set, w.cfg, func() {})
	require.NoError(w.t, err)
	r.logs = w.sink
	store := r.newStore(w.storage)
	state, err := store.Load(w.t.Context(), w.cfg.limits())
	require.NoError(w.t, err)
	w.poller = r.newPoller(nil, store, state)
	require.NoError(w.t, w.poller.inspect(w.t.Context(), w.db))
	require.NoError(w.t, w.poller.begin(w.t.Context(), w.db))
	w.poller.saver.state.Runs.Rescan.Limits = w.limits
}

func (w *world) step() {
	w.commit(0)
	switch w.random.IntN(10) {
	case 0, 1, 2:
		w.beginRun()
	case 3, 4:
		w.commit(0.3)
	case 5, 6:
		w.endRun()
	case 7:
		w.crash()
	default:
		w.poll()
	}
	w.db.now = w.db.now.Add(time.Duration(w.random.IntN(2000)) * time.Millisecond)
}

// beginRun begins runs in the current second, as all of MySQL's times are, that become visible some time later.
func (w *world) beginRun() {
	for range w.random.IntN(8) {
		w.serial++
		run := source.Run{Key: source.Key{
			ID:        fmt.Sprintf("%08x-0000-4000-8000-%012d", w.random.Uint32(), w.serial),
			CreatedAt: w.db.now.Truncate(time.Second),
		}, AppID: "app", TenantID: "tenant", TriggeredFrom: "app-run", Status: difysemconv.StatusRunning}
		if w.random.IntN(2) == 0 {
			run.Status, run.FinishedAt = difysemconv.StatusSucceeded, w.db.now
		}
		if w.random.IntN(10) == 0 {
			w.delayed = append(w.delayed, run)
			continue
		}
		w.pending = append(w.pending, run)
	}
}

// commit makes a share of the runs visible, in any order, and those that must not wait longer.
func (w *world) commit(share float64) {
	var waiting []source.Run
	for _, run := range w.pending {
		if age := w.db.now.Sub(run.CreatedAt); w.random.Float64() < share || age > w.cfg.LookBack-5*time.Second {
			w.db.runs = append(w.db.runs, run)
		} else {
			waiting = append(waiting, run)
		}
	}
	w.pending = waiting
	for len(w.delayed) > 0 &&
		(w.random.IntN(10) == 0 || w.db.now.Sub(w.delayed[0].CreatedAt) > w.cfg.MaxRunAge-5*time.Second) {
		w.db.runs = append(w.db.runs, w.delayed[0])
		w.delayed = w.delayed[1:]
	}
}

func (w *world) endRun() {
	for i := range w.db.runs {
		if run := &w.db.runs[i]; run.Status == difysemconv.StatusRunning && w.random.IntN(5) == 0 {
			run.Status, run.FinishedAt = difysemconv.StatusFailed, w.db.now
		}
	}
}

func (w *world) poll() {
	require.NoError(w.t, w.poller.poll(w.t.Context(), w.db, w.db.clock()))
}

// crash stops the poller at the pipeline, before or after it accepted a page, or at the storage, and starts it again.
func (w *world) crash() {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	pages := w.random.IntN(3)
	inStorage := w.random.IntN(2) == 0
	w.sink.setRefuse(func() error {
		pages--
		if pages >= 0 {
			return nil
		}
		cancel()
		if inStorage {
			w.storage.SetFull(true) // accepted, and never saved
			return nil
		}
		return errRefused
	})
	if err := w.poller.poll(ctx, w.db, w.db.clock()); err != nil {
		w.crashes++
	}
	w.sink.setRefuse(nil)
	w.storage.SetFull(false)
	w.boot()
}

// TestRandomHistories checks the guarantee itself against a naive model: in the end, exactly the ended runs have been
// delivered, and the counters, which survive every crash, have counted each run once.
func TestRandomHistories(t *testing.T) {
	for _, limits := range []tracker.Limits{tracker.DefaultLimits, {Newest: 3, Window: 5, Sweep: 20}} {
		for seed := range uint64(40) {
			t.Run(fmt.Sprintf("newest %d seed %d", limits.Newest, seed), func(t *testing.T) {
				w := newWorld(t, seed, limits)
				for range 400 {
					w.step()
				}
				w.drain()
				w.check()
			})
		}
	}
}

// drain lets everything become visible and end, and polls until everything has been read again.
func (w *world) drain() {
	w.db.runs = append(append(w.db.runs, w.pending...), w.delayed...)
	w.pending, w.delayed = nil, nil
	for range 200 {
		w.endRun()
		w.poll()
		w.db.now = w.db.now.Add(time.Second)
	}
}

func (w *world) check() {
	delivered := map[string]bool{}
	for _, id := range w.sink.delivered(runEvent) {
		delivered[id] = true
	}
	ended := 0
	for _, run := range w.db.runs {
		if outcome.HasEnded(&run) {
			ended++
			require.True(
				w.t, delivered[run.ID], "lost: %s, %s old, position %s", run.ID, w.db.now.Sub(run.CreatedAt),
				w.poller.saver.state.Runs.Position.CreatedAt,
			)
		}
	}
	require.Len(w.t, delivered, ended)
	require.Greater(w.t, ended, 100)
	require.Positive(w.t, w.crashes)
	counted := 0.0
	md := built(w.poller.saver.state.Metrics)
	for _, status := range outcome.EndedStatuses {
		counted += pdatatest.Counter(md, difysemconv.MetricRunTotal, map[string]string{"dify.workflow_run.status": status})
	}
	require.InDelta(w.t, ended, counted, 0)
}
