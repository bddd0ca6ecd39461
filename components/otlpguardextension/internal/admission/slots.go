// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrBusy is returned when no slot became free in time.
var ErrBusy = errors.New("too many requests are being received")

// Slots bounds how many requests are received at once. A request that takes longer than its share keeps its slot only
// as long as no other waits for one. The newest waiting request is first, so that clients that stall and those that
// gave up do not delay others. It is safe for concurrent use.
type Slots struct {
	n           int
	maxWaiting  int
	share, wait time.Duration

	mu      sync.Mutex
	holders []*Slot // guarded by mu; the oldest is first
	waiting []*Slot // guarded by mu; the newest is last
}

// Slot is a place among the requests that are received.
type Slot struct {
	slots   *Slots
	evict   func()
	granted chan struct{}

	since time.Time // guarded by slots.mu; when it was granted; zero after an eviction
}

// NewSlots returns n slots. A holder has its slot to itself for share. Up to maxWaiting requests wait, each no longer
// than wait.
func NewSlots(n, maxWaiting int, share, wait time.Duration) *Slots {
	return &Slots{n: n, maxWaiting: maxWaiting, share: share, wait: wait}
}

// Acquire waits for a slot. When another request needs it and the share is over, evict is called once: it must make
// the holder end, which then releases the slot. The error is ErrBusy, or the context's.
func (s *Slots) Acquire(ctx context.Context, evict func()) (*Slot, error) {
	slot := &Slot{slots: s, evict: evict, granted: make(chan struct{})}
	if err := s.enqueue(slot); err != nil {
		return nil, err
	}
	select {
	case <-slot.granted:
		return slot, nil
	default:
	}
	giveUp := time.NewTimer(s.wait)
	defer giveUp.Stop()
	check := time.NewTicker(s.share / 8)
	defer check.Stop()
	for {
		select {
		case <-slot.granted:
			return slot, nil
		case <-check.C:
			s.evictOldest()
		case <-giveUp.C:
			slot.Release()
			return nil, ErrBusy
		case <-ctx.Done():
			slot.Release()
			return nil, ctx.Err()
		}
	}
}

func (s *Slots) enqueue(slot *Slot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= s.maxWaiting {
		return ErrBusy
	}
	s.waiting = append(s.waiting, slot)
	s.grant()
	return nil
}

// grant must be called with mu locked.
func (s *Slots) grant() {
	for len(s.holders) < s.n && len(s.waiting) > 0 {
		last := len(s.waiting) - 1
		slot := s.waiting[last]
		s.waiting = s.waiting[:last]
		slot.since = time.Now()
		s.holders = append(s.holders, slot)
		close(slot.granted)
	}
}

// evictOldest evicts the oldest holder if its share is over.
func (s *Slots) evictOldest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, holder := range s.holders {
		if holder.since.IsZero() { // evicted, but not yet ended
			continue
		}
		if time.Since(holder.since) >= s.share {
			holder.since = time.Time{}
			holder.evict()
		}
		return
	}
}

// Release gives the slot to the request that waits. Further calls do nothing.
func (slot *Slot) Release() {
	s := slot.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	same := func(other *Slot) bool { return other == slot }
	s.holders = slices.DeleteFunc(s.holders, same)
	s.waiting = slices.DeleteFunc(s.waiting, same)
	s.grant()
}

// InUse returns the number of slots that are held.
func (s *Slots) InUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.holders)
}
