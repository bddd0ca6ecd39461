// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/soak"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// Whichever collector is killed, joins or leaves, and whichever server is away: what Dify emits arrives, once.
func TestEachOnceThroughFaults(t *testing.T) {
	rounds, seed := soak.Size(1, 10), soak.Seed(t)
	s := &schedule{rig: newFaultRig(t), random: rand.New(rand.NewPCG(seed, 0)), searchIsBack: make(chan error, 1)}
	load := startLoad(t, s.rig, seed, 2)
	load.send(t.Context(), s.rig, readRecording(t))
	for round := range rounds {
		for _, fault := range s.faults() {
			begin := time.Now()
			fault.happens(t)
			t.Logf("round %d: %s, %s", round+1, fault.name, time.Since(begin).Round(100*time.Millisecond))
			s.progress(t, load)
		}
		require.NoError(t, <-s.searchIsBack)
	}
	e := load.finish(t)
	begin := time.Now()
	t.Logf(
		"%d spans, %d runs, %d requests, %d roots, %d exceptions", e.Spans, e.Ended(), e.Requests, len(e.roots),
		e.Exceptions,
	)
	s.expectConsumed(t, "traces", "workflow-logs", "metrics")
	s.expectDocumentsOnce(t, e)
	s.expectSentryOnce(t, e)
	s.expectSums(t, e)
	t.Logf("all of it had arrived after %s", time.Since(begin).Round(100*time.Millisecond))
}

func newFaultRig(t *testing.T) *rig {
	t.Helper()
	kafka, search := ownServers(t)
	return newRigWith(t, rigOptions{
		gateways: 2, writers: 3, reader: true, metrics: true, kafka: kafka, search: search,
		// Instead of 30s; a failed run without an exception is reported then.
		writerOverlay: []string{
			"yaml:exporters::sentry::run_window: 2s",
			"yaml:exporters::sentry::client_roots: true", // the discards of a writer that is killed can't be counted
		},
	})
}

// schedule is a running test.
type schedule struct {
	*rig
	random       *rand.Rand
	searchIsBack chan error // of each round
}

// fault happens while Dify runs workflows. It is over when the function returns.
type fault struct {
	name    string
	happens func(*testing.T)
}

// faults are one of each, in random order.
func (s *schedule) faults() []fault {
	faults := []fault{
		{"a gateway is killed", func(t *testing.T) { pick(s, s.gateways).KillAndRestart(t) }},
		{"a writer is killed", func(t *testing.T) { pick(s, s.writers).KillAndRestart(t) }},
		{"the metrics collector is killed", func(t *testing.T) { s.metrics.KillAndRestart(t) }},
		{"the reader is killed", func(t *testing.T) { s.reader.KillAndRestart(t) }},
		{"a writer joins and another leaves", s.writersChange},
		{"the broker is killed, and a gateway that has to keep what it takes", s.brokerKilled},
		{"OpenSearch is killed, and a writer that has to keep what it takes", s.searchKilled},
	}
	s.random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	return faults
}

func pick[T any](s *schedule, from []T) T { return from[s.random.IntN(len(from))] }

func (s *schedule) writersChange(t *testing.T) {
	s.addWriter(t)
	leaving := s.random.IntN(len(s.writers) - 1) // not the new one
	w := s.writers[leaving]
	s.writers = slices.Delete(s.writers, leaving, leaving+1)
	s.drain(t, w)
}

func (s *schedule) brokerKilled(t *testing.T) {
	require.NoError(t, s.kafka.Halt(true))
	keeper := pick(s, s.gateways)
	keeps(t, keeper, "kafka")
	keeper.KillAndRestart(t)
	require.NoError(t, s.kafka.Resume(t.Context()))
}

// searchKilled returns before OpenSearch is back, so that other faults happen meanwhile.
func (s *schedule) searchKilled(t *testing.T) {
	s.search.Kill()
	keeper := pick(s, s.writers)
	keeps(t, keeper, "opensearch")
	keeper.KillAndRestart(t)
	go func() { s.searchIsBack <- s.search.Restart(t.Context()) }()
}

// keeps waits until an exporter's queue is not empty.
func keeps(t *testing.T, i *instance, exporter string) {
	t.Helper()
	wait.For(t, "something in the queue of "+exporter, func(ctx context.Context) error {
		size, err := i.OwnMetric(ctx, "otelcol_exporter_queue_size", `exporter="`+exporter+`"`)
		if err == nil && size == 0 {
			err = errors.New("it is empty")
		}
		return err
	})
}

// progress waits until Dify has emitted more.
func (s *schedule) progress(t *testing.T, l *load) {
	t.Helper()
	before := l.requests()
	wait.For(t, "more requests", func(context.Context) error {
		if now := l.requests(); now < before+10 {
			return fmt.Errorf("%d since the last fault", now-before)
		}
		return nil
	})
}
