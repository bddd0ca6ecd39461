// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package workflowlog tests the built binary's workflow_log receiver with real databases that fail.
package workflowlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/disk"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/soak"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	lookBack    = 2 * time.Second
	outcomeWait = 5 * time.Second
	maxRunAge   = 10 * time.Minute
)

// longest is how long it may take until all committed runs are recorded: ten times what an idle machine needs.
var longest = time.Duration(soak.Size(5, 45)) * time.Minute

// Whatever fails, and whatever commits late, each run that has ended is recorded exactly once.
func TestFaults(t *testing.T) {
	for name, newDatabase := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runSchedule(t, newDatabase(t))
		})
	}
}

// schedule is a running test.
type schedule struct {
	db        *dify
	rng       *rand.Rand
	disk      *disk.Disk
	sink      *sink
	collector *collector.Collector
	writers   *writers
}

func runSchedule(t *testing.T, db *dify) {
	seed := soak.Seed(t)
	s := &schedule{db: db, rng: rand.New(rand.NewPCG(seed, 0)), disk: disk.New(t, 16<<20), sink: newSink(t)}
	insertApps(t, db)
	odd := insertOdd(t, db, s.rng)
	s.collector = startCollector(t, db, map[string]string{
		"OTELCOL_STORAGE_DIR": s.disk.Path,
		"TEST_SINK":           s.sink.URL,
		"TEST_LOOK_BACK":      lookBack.String(),
		"TEST_OUTCOME_WAIT":   outcomeWait.String(),
		"TEST_MAX_RUN_AGE":    maxRunAge.String(),
	})
	prometheus, err := servers.StartPrometheus(t.Context(), s.collector.Prometheus)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, prometheus.Stop()) })
	s.writers = startWriters(t, db, seed, 3*lookBack) // so that many runs are later than look_back

	for _, next := range s.faults() {
		s.pause(t)
		t.Log(next.name)
		next.happens(t)
		s.progress(t)
	}
	s.enough(t)
	s.writers.finish()
	odd.settle(t, db, s.sink)
	s.checkRecords(t)
	odd.check(t, s.sink)
	checkCounters(t, db, prometheus)
}

func startCollector(t *testing.T, db *dify, env map[string]string) *collector.Collector {
	t.Helper()
	all := db.collectorEnv()
	maps.Copy(all, env)
	return collector.Start(
		t, collector.Options{Configs: []string{repo.Path("tests", "workflowlog", "testdata", "collector.yaml")}, Env: all},
	)
}

// fault happens to the collector or to something that it needs. It is over when the function returns.
type fault struct {
	name    string
	happens func(*testing.T)
}

// faults returns all faults of the schedule in random order.
func (s *schedule) faults() []fault {
	times := soak.Size(1, 4)
	var all []fault
	for range times {
		all = append(
			all, // five kills
			fault{"kill", s.kill},
			fault{"kill", s.kill},
			fault{"the database stops", func(t *testing.T) { s.databaseAway(t, false, nil) }},
			fault{"the database crashes, and the collector is killed", func(t *testing.T) { s.databaseAway(t, true, s.kill) }},
			fault{"connections are cut", s.connectionsCut},
			fault{"connections are cut", s.connectionsCut},
			fault{"the pipeline refuses", func(t *testing.T) { s.sinkBehaves(t, refuses, nil) }},
			fault{"the pipeline refuses, and the collector is killed", func(t *testing.T) { s.sinkBehaves(t, refuses, s.kill) }},
			fault{
				"the pipeline accepts without a response, and the collector is killed",
				func(t *testing.T) { s.sinkBehaves(t, isSilent, s.kill) },
			},
			fault{"the storage is full", s.storageFull},
		)
	}
	s.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// pause lets the work go on for a random time.
func (s *schedule) pause(t *testing.T) {
	select {
	case <-time.After(upTo(s.rng, time.Second)):
	case <-t.Context().Done():
	}
}

// progress waits until something new has been recorded.
func (s *schedule) progress(t *testing.T) {
	before := s.sink.distinct()
	wait.For(t, "new records", func(context.Context) error {
		if s.sink.distinct() == before {
			return errors.New("nothing new was recorded")
		}
		return nil
	})
}

func (s *schedule) kill(t *testing.T) {
	s.collector.KillAndRestart(t)
}

func (s *schedule) connectionsCut(t *testing.T) {
	for range 3 {
		s.db.cutConnections(t)
		s.pause(t)
	}
}

// databaseAway lasts until the collector has noticed.
func (s *schedule) databaseAway(t *testing.T, crash bool, meanwhile func(*testing.T)) {
	noticed := s.grows(`otelcol_workflow_log_polls_total`, `result="failed"`)
	require.NoError(t, s.db.server.Halt(crash))
	if meanwhile != nil {
		meanwhile(t)
	}
	wait.For(t, "the collector notices that the database is away", noticed)
	require.NoError(t, s.db.server.Resume(t.Context()))
}

// sinkBehaves lasts until the sink has failed several times.
func (s *schedule) sinkBehaves(t *testing.T, m manner, meanwhile func(*testing.T)) {
	before := s.sink.faulty()
	s.sink.behave(m)
	wait.For(t, "requests that fail", func(context.Context) error {
		if n := s.sink.faulty() - before; n < 3 {
			return fmt.Errorf("%d requests have failed", n)
		}
		return nil
	})
	if meanwhile != nil {
		meanwhile(t)
	}
	s.sink.behave(accepts)
}

// storageFull lasts until saving a checkpoint has failed: runs that do not end make it grow.
func (s *schedule) storageFull(t *testing.T) {
	noticed := s.grows(`otelcol_workflow_log_checkpoint_failures_total`)
	s.disk.Fill(t)
	wait.For(t, "a checkpoint that cannot be saved", func(ctx context.Context) error {
		more := newRuns(s.rng, 200)
		s.writers.start(more)
		s.writers.adopt(more...)
		return noticed(ctx)
	})
	s.disk.Free(t)
}

// grows returns a check that succeeds once a metric of the collector has a greater value than now. A kill resets it
// to 0.
func (s *schedule) grows(name string, labels ...string) func(context.Context) error {
	before, err := s.collector.OwnMetric(context.Background(), name, labels...)
	if err != nil {
		before = 0 // does not exist yet
	}
	return func(ctx context.Context) error {
		now, err := s.collector.OwnMetric(ctx, name, labels...)
		if err != nil {
			return err
		}
		if now < before {
			before = 0
		}
		if now == before {
			return fmt.Errorf("%s is still %v", name, now)
		}
		return nil
	}
}

// enough waits until there are as many records as the schedule is meant for.
func (s *schedule) enough(t *testing.T) {
	records := soak.Size(10_000, 100_000)
	require.NoError(t, wait.Until(t.Context(), longest, func(context.Context) error {
		if n := s.sink.distinct(); n < records {
			return fmt.Errorf("%d of %d records", n, records)
		}
		return nil
	}))
}

// checkRecords compares what was recorded with what was committed.
func (s *schedule) checkRecords(t *testing.T) {
	ended := map[string]bool{}
	for _, id := range list[string](t, s.db, "SELECT id FROM workflow_runs WHERE status NOT IN ('running', 'paused')") {
		ended[id] = true
	}
	err := wait.Until(t.Context(), longest, func(context.Context) error { return missing(ended, s.sink.runs(eventRun)) })
	require.NoError(t, err, "every run that has ended is recorded")
	assert.Len(t, s.sink.runs(eventRun), len(ended), "and nothing else")
	assert.Equal(
		t, s.sink.distinct(), len(ended)+len(s.sink.runs(eventStuck))+len(s.sink.runs(eventUnknown)),
		"each record has a log.record.uid of its own",
	)
	t.Logf("%d runs in %d records", len(ended), s.sink.received())
}

func missing(want, got map[string]bool) error {
	lacking, example := 0, ""
	for id := range want {
		if !got[id] {
			lacking, example = lacking+1, id
		}
	}
	if lacking == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d were not recorded, such as %s", lacking, len(want), example)
}
