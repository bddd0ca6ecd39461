// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package failedruns keeps the events of failed workflow runs until it is clear that no exception of the run is
// reported, which says more than the failure of the run does.
package failedruns

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

const (
	// shardCount divides the state, so that one change rewrites only a part of it in the storage.
	shardCount = 64
	// maxPending and maxSuperseded bound a shard. A run beyond maxPending is reported immediately. Beyond maxSuperseded,
	// the oldest run is forgotten, which can at worst report a failure twice.
	maxPending    = 64
	maxSuperseded = 512
	// supersededTTL is how long it is remembered that an exception of a run was reported.
	supersededTTL = 24 * time.Hour

	storedVersion = 1
)

// Outcome is what Store.Add did with the event of a failed run.
type Outcome int

// Outcomes.
const (
	// Pending means that the run is stored until it is due.
	Pending Outcome = iota
	// Superseded means that an exception of the run was reported: the event need not be sent.
	Superseded
	// NoRoom means that the caller has to send the event now.
	NoRoom
)

// Store has the events of failed runs that are pending, and the runs of which an exception was reported. It is safe for
// concurrent use. The zero Store is in memory.
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
//   - After a restart every pending run is due no later than before; its window is not prolonged.
type Store struct {
	client storage.Client // nil: in memory only

	mu sync.Mutex
	// shards is guarded by mu.
	shards [shardCount]shard
}

// shard is also the stored form: its keys must not change.
type shard struct {
	Version    int             `json:"version"`
	Pending    []pendingRun    `json:"held,omitempty"`
	Superseded []supersededRun `json:"told,omitempty"`
}

type pendingRun struct {
	Run     string     `json:"run"`
	Due     time.Time  `json:"due"`
	Item    *item.Item `json:"item"`
	Payload []byte     `json:"payload"`
}

type supersededRun struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"`
}

func shardOf(run string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(run))
	return int(h.Sum32() % shardCount)
}

func shardKey(n int) string { return fmt.Sprintf("runs-%02d", n) }

// Open reads what an earlier process stored and keeps the client, which Close closes. State that cannot be read is an
// error, since it would be overwritten otherwise.
func (s *Store) Open(ctx context.Context, client storage.Client) error {
	var shards [shardCount]shard
	for n := range shards {
		b, err := client.Get(ctx, shardKey(n))
		if err != nil {
			return fmt.Errorf("read pending failed runs from `storage`: %w", err)
		}
		if b == nil {
			continue
		}
		var stored shard
		if err := json.Unmarshal(b, &stored); err != nil || stored.Version != storedVersion {
			return errors.New("the pending failed runs in `storage` are damaged or were written by a newer version: " +
				"run that version, or delete this exporter's `runs` file, which loses them")
		}
		for i := range stored.Pending {
			stored.Pending[i].Item.Payload = stored.Pending[i].Payload
		}
		shards[n] = stored
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shards, s.client = shards, client
	return nil
}

// Durable reports whether pending runs survive the process.
func (s *Store) Durable() bool { return s.client != nil }

// Close closes the storage client, if there is one.
func (s *Store) Close(ctx context.Context) error {
	if s.client == nil {
		return nil
	}
	err := s.client.Close(ctx)
	s.client = nil
	return err
}

// Add stores the event of a failed run until it is due. A run that is pending already stays as it is.
func (s *Store) Add(ctx context.Context, it *item.Item, due time.Time) Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := shardOf(it.Run)
	sh := &s.shards[n]
	switch {
	case slices.ContainsFunc(sh.Superseded, func(r supersededRun) bool { return r.Run == it.Run }):
		return Superseded
	case slices.ContainsFunc(sh.Pending, func(r pendingRun) bool { return r.Run == it.Run }): // a redelivery
		return Pending
	case len(sh.Pending) >= maxPending:
		return NoRoom
	}
	sh.Pending = append(sh.Pending, pendingRun{Run: it.Run, Due: due, Item: it, Payload: it.Payload})
	if err := s.save(ctx, n); err != nil { // better reported immediately than lost
		sh.Pending = sh.Pending[:len(sh.Pending)-1]
		return NoRoom
	}
	return Pending
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
				r.Item.Run = r.Run
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
		pending := s.shards[shardOf(it.Run)].Pending
		for i := range pending {
			if pending[i].Run == it.Run {
				pending[i].Due = due
			}
		}
	}
}

// Remove forgets events that have been queued.
func (s *Store) Remove(ctx context.Context, items []*item.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := map[int]bool{}
	for _, it := range items {
		n := shardOf(it.Run)
		s.shards[n].Pending = slices.DeleteFunc(s.shards[n].Pending, func(r pendingRun) bool { return r.Run == it.Run })
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

// save writes a shard. The caller holds mu.
func (s *Store) save(ctx context.Context, n int) error {
	if s.client == nil {
		return nil
	}
	sh := s.shards[n]
	if len(sh.Pending) == 0 && len(sh.Superseded) == 0 {
		return s.client.Delete(ctx, shardKey(n))
	}
	sh.Version = storedVersion
	b, err := json.Marshal(sh)
	if err != nil {
		return fmt.Errorf("encode pending failed runs: %w", err)
	}
	return s.client.Set(ctx, shardKey(n), b)
}
