// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Reports counts what was discarded, to report it to the server. It is safe for concurrent use. The zero value is
// ready to use.
type Reports struct {
	mu sync.Mutex
	// counts is guarded by mu.
	counts map[Discard]int64
}

// Discard is what a count is for.
type Discard struct {
	Reason   string   `json:"reason"`
	Category Category `json:"category"`
}

// Add adds a quantity.
func (r *Reports) Add(d Discard, quantity int64) {
	if quantity == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[Discard]int64{}
	}
	r.counts[d] += quantity
}

// Take returns the counts and resets them.
func (r *Reports) Take() map[Discard]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := r.counts
	r.counts = nil
	return counts
}

// Restore adds counts back that could not be delivered.
func (r *Reports) Restore(counts map[Discard]int64) {
	for d, n := range counts {
		r.Add(d, n)
	}
}

type discardedEvent struct {
	Discard
	Quantity int64 `json:"quantity"`
}

// ReportItem returns a client report of the counts.
func ReportItem(counts map[Discard]int64, now time.Time) (Item, error) {
	events := make([]discardedEvent, 0, len(counts))
	for d, n := range counts {
		events = append(events, discardedEvent{Discard: d, Quantity: n})
	}
	slices.SortFunc(events, func(a, b discardedEvent) int {
		return cmp.Or(cmp.Compare(a.Category, b.Category), cmp.Compare(a.Reason, b.Reason))
	})
	payload, err := json.Marshal(struct {
		Timestamp       time.Time        `json:"timestamp"`
		DiscardedEvents []discardedEvent `json:"discarded_events"`
	}{now.UTC(), events})
	if err != nil {
		return Item{}, fmt.Errorf("encode client report: %w", err)
	}
	return Item{Type: ItemReport, Payload: payload}, nil
}
