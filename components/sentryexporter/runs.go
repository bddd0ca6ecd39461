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
)

const (
	// shards bound what one change rewrites in the storage.
	shards = 64
	// maxHeld and maxTold bound what a shard holds. A run beyond maxHeld is told at once; the oldest beyond maxTold is
	// forgotten, which can at worst tell a failure twice.
	maxHeld = 64
	maxTold = 512
	// toldFor is how long it is remembered that an exception of a run was told.
	toldFor = 24 * time.Hour

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
	Version int       `json:"version"`
	Held    []heldRun `json:"held,omitempty"`
	Told    []toldRun `json:"told,omitempty"`
}

type heldRun struct {
	Run     string    `json:"run"`
	Due     time.Time `json:"due"`
	Item    *item     `json:"item"`
	Payload []byte    `json:"payload"`
}

type toldRun struct {
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
			return fmt.Errorf("read waiting runs from `storage`: %w", err)
		}
		if b == nil {
			continue
		}
		var s shard
		if err := json.Unmarshal(b, &s); err != nil || s.Version != runsVersion {
			return errors.New("the waiting runs in `storage` are damaged or of a newer version: start that version, or remove this exporter's `runs` file and lose them")
		}
		for i := range s.Held {
			s.Held[i].Item.payload = s.Held[i].Payload
		}
		r.shards[n] = s
	}
	return nil
}

// hold keeps a failed run until due. It returns true if the run waits, and else why the caller need not or must tell it
// now: explained if an exception of it was told.
func (r *runs) hold(ctx context.Context, it *item, due time.Time) (held, explained bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := shardOf(it.run)
	s := &r.shards[n]
	if slices.ContainsFunc(s.Told, func(t toldRun) bool { return t.Run == it.run }) {
		return false, true
	}
	if slices.ContainsFunc(s.Held, func(h heldRun) bool { return h.Run == it.run }) {
		return true, false // delivered again
	}
	if len(s.Held) >= maxHeld {
		return false, false
	}
	s.Held = append(s.Held, heldRun{Run: it.run, Due: due, Item: it, Payload: it.payload})
	if err := r.save(ctx, n); err != nil { // better told at once than lost
		s.Held = s.Held[:len(s.Held)-1]
		return false, false
	}
	return true, false
}

// explain notes that an exception of these runs was told, and returns the items that thereby need not be.
func (r *runs) explain(ctx context.Context, now time.Time, ids ...string) (released []*item, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := map[int]bool{}
	for _, id := range ids {
		n := shardOf(id)
		s := &r.shards[n]
		if slices.ContainsFunc(s.Told, func(t toldRun) bool { return t.Run == id }) {
			continue
		}
		s.Told = append(fresh(s.Told, now), toldRun{Run: id, At: now})
		s.Held = slices.DeleteFunc(s.Held, func(h heldRun) bool {
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

func fresh(told []toldRun, now time.Time) []toldRun {
	told = slices.DeleteFunc(told, func(t toldRun) bool { return now.Sub(t.At) > toldFor })
	if extra := len(told) - maxTold + 1; extra > 0 {
		told = slices.Delete(told, 0, extra)
	}
	return told
}

// due returns the items whose time has come, still held: remove forgets them when they have been handed on.
func (r *runs) due(now time.Time) []*item {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*item
	for n := range r.shards {
		for _, h := range r.shards[n].Held {
			if !h.Due.After(now) {
				h.Item.run = h.Run
				out = append(out, h.Item)
			}
		}
	}
	return out
}

// postpone lets runs that are due wait on. After a restart they are due at once.
func (r *runs) postpone(items []*item, due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range items {
		for i, h := range r.shards[shardOf(it.run)].Held {
			if h.Run == it.run {
				r.shards[shardOf(it.run)].Held[i].Due = due
			}
		}
	}
}

// remove forgets held runs that have been told themselves.
func (r *runs) remove(ctx context.Context, items []*item) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := map[int]bool{}
	for _, it := range items {
		n := shardOf(it.run)
		r.shards[n].Held = slices.DeleteFunc(r.shards[n].Held, func(h heldRun) bool { return h.Run == it.run })
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
		for _, h := range r.shards[n].Held {
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
		n += len(r.shards[i].Held)
	}
	return n
}

// save writes a shard. The caller holds mu.
func (r *runs) save(ctx context.Context, n int) error {
	if r.client == nil {
		return nil
	}
	s := r.shards[n]
	if len(s.Held) == 0 && len(s.Told) == 0 {
		return r.client.Delete(ctx, shardKey(n))
	}
	s.Version = runsVersion
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode waiting runs: %w", err)
	}
	return r.client.Set(ctx, shardKey(n), b)
}
