// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package waiting keeps errors until it is clear that nothing that says more about the same failure is reported: the
// events of failed workflow runs, until an exception of the run comes, and those of log lines and client spans, until
// the spans around them come.
package waiting

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

const (
	// runShards and errorShards divide the state, so that one change rewrites only a part of it in the storage.
	runShards   = 64
	errorShards = 512
	// maxPending, maxErrors and maxSuperseded bound a shard. What is beyond maxPending or maxErrors is reported
	// immediately. Beyond maxSuperseded, the oldest run is forgotten, which can at worst report a failure twice.
	maxPending    = 64
	maxErrors     = 8
	maxSuperseded = 512
	// supersededTTL is how long it is remembered that an exception of a run was reported.
	supersededTTL = 24 * time.Hour
)

// Outcome is what Store.Add did with an event.
type Outcome int

// Outcomes.
const (
	// Pending means that the event is stored until it is due.
	Pending Outcome = iota
	// Superseded means that an exception of the run was reported: the event need not be sent.
	Superseded
	// NoRoom means that the caller has to send the event now.
	NoRoom
)

// Store has the events that are pending, and the runs of which an exception was reported. It is safe for concurrent
// use. The zero Store is in memory.
//
// Invariants:
//
//   - A run is pending or superseded, never both.
//   - With a storage, the state on disk is never older than what Add and Supersede returned: they write the run's
//     shard before they return. If a write fails, Add does not keep the event and returns NoRoom; Supersede returns
//     the error, and memory is then ahead of the disk, which can at worst report a failure twice after a restart.
//   - Due does not remove anything. The caller queues the events and calls Remove afterwards, so a crash in between
//     queues them again after the restart, under the same event ID. A crash before Add returned loses nothing: the
//     log record was not accepted yet and comes again.
//   - After a restart every pending event is due no later than before; its window is not prolonged.
type Store struct {
	client storage.Client // nil: in memory only

	mu sync.Mutex
	// shards is guarded by mu: runShards, then errorShards.
	shards [runShards + errorShards]shard
	// byID is guarded by mu. It has the pending errors, not the runs, by each ID of item.Relations.
	byID map[item.ID][]*item.Item
}

func shardOf(run string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(run))
	if isError(run) {
		return runShards + int(h.Sum32()%errorShards)
	}
	return int(h.Sum32() % runShards)
}

func isError(waits string) bool { return strings.HasPrefix(waits, item.WaitsForTrace) }

func shardKey(n int) string {
	if n >= runShards {
		return fmt.Sprintf("errors-%03d", n-runShards)
	}
	return fmt.Sprintf("runs-%02d", n)
}

// Add stores an event until it is due. An event that is pending already stays as it is.
func (s *Store) Add(ctx context.Context, it *item.Item, due time.Time) Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := shardOf(it.Waits)
	sh := &s.shards[n]
	room := maxPending
	if isError(it.Waits) {
		room = maxErrors
	}
	switch {
	case slices.ContainsFunc(sh.Superseded, func(r supersededRun) bool { return r.Run == it.Waits }):
		return Superseded
	case slices.ContainsFunc(sh.Pending, func(r pendingRun) bool { return r.Run == it.Waits }): // a redelivery
		return Pending
	case len(sh.Pending) >= room:
		return NoRoom
	}
	sh.Pending = append(sh.Pending, newPending(it, due))
	if err := s.save(ctx, n); err != nil { // better reported immediately than lost
		sh.Pending = sh.Pending[:len(sh.Pending)-1]
		return NoRoom
	}
	s.index(it)
	return Pending
}

func newPending(it *item.Item, due time.Time) pendingRun {
	return pendingRun{Run: it.Waits, Due: due, Item: it, Payload: it.Payload, Relations: &it.Relations}
}

// Supersede notes that an exception of each of the runs is reported. It returns the pending events that need not be
// sent.
func (s *Store) Supersede(ctx context.Context, now time.Time, runs ...string) (released []*item.Item, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := map[int]bool{}
	for _, run := range runs {
		n := shardOf(run)
		sh := &s.shards[n]
		if slices.ContainsFunc(sh.Superseded, func(r supersededRun) bool { return r.Run == run }) {
			continue
		}
		sh.Superseded = append(unexpired(sh.Superseded, now), supersededRun{Run: run, At: now})
		sh.Pending = slices.DeleteFunc(sh.Pending, func(r pendingRun) bool {
			if r.Run == run {
				released = append(released, r.Item)
			}
			return r.Run == run
		})
		changed[n] = true
	}
	for n := range changed {
		err = cmp.Or(err, s.save(ctx, n))
	}
	return released, err
}

func unexpired(runs []supersededRun, now time.Time) []supersededRun {
	runs = slices.DeleteFunc(runs, func(r supersededRun) bool { return now.Sub(r.At) > supersededTTL })
	if extra := len(runs) - maxSuperseded + 1; extra > 0 {
		runs = slices.Delete(runs, 0, extra)
	}
	return runs
}

// Due returns the events that are due. They stay pending until Remove.
func (s *Store) Due(now time.Time) []*item.Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*item.Item
	for n := range s.shards {
		for _, r := range s.shards[n].Pending {
			if !r.Due.After(now) {
				out = append(out, r.Item)
			}
		}
	}
	return out
}

// Postpone makes events due later. It is not stored: after a restart they are due immediately.
func (s *Store) Postpone(items []*item.Item, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		pending := s.shards[shardOf(it.Waits)].Pending
		for i := range pending {
			if pending[i].Run == it.Waits {
				pending[i].Due = due
			}
		}
	}
}

// Remove forgets events that have been queued, or need not be.
func (s *Store) Remove(ctx context.Context, items []*item.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(ctx, items)
}

// remove removes events. The caller holds mu.
func (s *Store) remove(ctx context.Context, items []*item.Item) error {
	changed := map[int]bool{}
	for _, it := range items {
		n := shardOf(it.Waits)
		s.shards[n].Pending = slices.DeleteFunc(s.shards[n].Pending, func(r pendingRun) bool { return r.Run == it.Waits })
		s.unindex(it)
		changed[n] = true
	}
	var err error
	for n := range changed {
		err = cmp.Or(err, s.save(ctx, n))
	}
	return err
}

// NextDue returns when the first pending event is due; false if none is pending.
func (s *Store) NextDue() (first time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.shards {
		for _, r := range s.shards[n].Pending {
			if !ok || r.Due.Before(first) {
				first, ok = r.Due, true
			}
		}
	}
	return first, ok
}

// Len returns the number of pending events.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for i := range s.shards {
		n += len(s.shards[i].Pending)
	}
	return n
}
