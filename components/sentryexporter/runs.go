// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

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
	// shards bound what one change rewrites in the storage.
	shards = 64
	// maxPending and maxSuperseded bound what a shard holds. A run beyond maxPending is told at once; the oldest beyond maxSuperseded is
	// forgotten, which can at worst tell a failure twice.
	maxPending    = 64
	maxSuperseded = 512
	// supersededFor is how long it is remembered that an exception of a run was told.
	supersededFor = 24 * time.Hour

	runsVersion = 1
)

// runs holds failed runs until it is clear that no exception tells more, and remembers the runs of which one did. With a
// storage it is written there before hold and explain return.
type runs struct {
	client storage.Client // nil: in memory only

	mu sync.Mutex
	// shards is guarded by mu.
	shards [shards]shard
}

// shard is also the stored form.
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
	return int(h.Sum32() % shards)
}

func shardKey(n int) string { return fmt.Sprintf("runs-%02d", n) }

// load reads what an earlier process left. Unreadable state is an error: it would be overwritten otherwise.
func (r *runs) load(ctx context.Context) error {
	if r.client == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := range r.shards {
		b, err := r.client.Get(ctx, shardKey(n))
		if err != nil {
			return fmt.Errorf("read pending failed runs from `storage`: %w", err)
		}
		if b == nil {
			continue
		}
		var s shard
		if err := json.Unmarshal(b, &s); err != nil || s.Version != runsVersion {
			return errors.New("the pending failed runs in `storage` are damaged or were written by a newer version: run that version, or delete this exporter's `runs` file, which loses them")
		}
		for i := range s.Pending {
			s.Pending[i].Item.Payload = s.Pending[i].Payload
		}
		r.shards[n] = s
	}
	return nil
}

// hold keeps a failed run until due. It returns true if the run waits, and else why the caller need not or must tell it
// now: explained if an exception of it was told.
func (r *runs) add(ctx context.Context, it *item.Item, due time.Time) (pending, superseded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := shardOf(it.Run)
	s := &r.shards[n]
	if slices.ContainsFunc(s.Superseded, func(t supersededRun) bool { return t.Run == it.Run }) {
		return false, true
	}
	if slices.ContainsFunc(s.Pending, func(h pendingRun) bool { return h.Run == it.Run }) {
		return true, false // delivered again
	}
	if len(s.Pending) >= maxPending {
		return false, false
	}
	s.Pending = append(s.Pending, pendingRun{Run: it.Run, Due: due, Item: it, Payload: it.Payload})
	if err := r.save(ctx, n); err != nil { // better told at once than lost
		s.Pending = s.Pending[:len(s.Pending)-1]
		return false, false
	}
	return true, false
}

// explain notes that an exception of these runs was told, and returns the items that thereby need not be.
func (r *runs) supersede(ctx context.Context, now time.Time, ids ...string) (released []*item.Item, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := map[int]bool{}
	for _, id := range ids {
		n := shardOf(id)
		s := &r.shards[n]
		if slices.ContainsFunc(s.Superseded, func(t supersededRun) bool { return t.Run == id }) {
			continue
		}
		s.Superseded = append(fresh(s.Superseded, now), supersededRun{Run: id, At: now})
		s.Pending = slices.DeleteFunc(s.Pending, func(h pendingRun) bool {
			if h.Run == id {
				released = append(released, h.Item)
			}
			return h.Run == id
		})
		changed[n] = true
	}
	for n := range changed {
		err = cmp.Or(err, r.save(ctx, n))
	}
	return released, err
}

func fresh(runs []supersededRun, now time.Time) []supersededRun {
	runs = slices.DeleteFunc(runs, func(t supersededRun) bool { return now.Sub(t.At) > supersededFor })
	if extra := len(runs) - maxSuperseded + 1; extra > 0 {
		runs = slices.Delete(runs, 0, extra)
	}
	return runs
}

// due returns the items whose time has come, still held: remove forgets them when they have been handed on.
func (r *runs) due(now time.Time) []*item.Item {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*item.Item
	for n := range r.shards {
		for _, h := range r.shards[n].Pending {
			if !h.Due.After(now) {
				h.Item.Run = h.Run
				out = append(out, h.Item)
			}
		}
	}
	return out
}

// postpone lets runs that are due wait on. After a restart they are due at once.
func (r *runs) postpone(items []*item.Item, due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range items {
		for i, h := range r.shards[shardOf(it.Run)].Pending {
			if h.Run == it.Run {
				r.shards[shardOf(it.Run)].Pending[i].Due = due
			}
		}
	}
}

// remove forgets held runs that have been told themselves.
func (r *runs) remove(ctx context.Context, items []*item.Item) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := map[int]bool{}
	for _, it := range items {
		n := shardOf(it.Run)
		r.shards[n].Pending = slices.DeleteFunc(r.shards[n].Pending, func(h pendingRun) bool { return h.Run == it.Run })
		changed[n] = true
	}
	var err error
	for n := range changed {
		err = cmp.Or(err, r.save(ctx, n))
	}
	return err
}

// next is when the first run that waits is due; false if none waits.
func (r *runs) next() (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first time.Time
	found := false
	for n := range r.shards {
		for _, h := range r.shards[n].Pending {
			if !found || h.Due.Before(first) {
				first, found = h.Due, true
			}
		}
	}
	return first, found
}

func (r *runs) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for i := range r.shards {
		n += len(r.shards[i].Pending)
	}
	return n
}

// save writes a shard. The caller holds mu.
func (r *runs) save(ctx context.Context, n int) error {
	if r.client == nil {
		return nil
	}
	s := r.shards[n]
	if len(s.Pending) == 0 && len(s.Superseded) == 0 {
		return r.client.Delete(ctx, shardKey(n))
	}
	s.Version = runsVersion
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode pending failed runs: %w", err)
	}
	return r.client.Set(ctx, shardKey(n), b)
}
