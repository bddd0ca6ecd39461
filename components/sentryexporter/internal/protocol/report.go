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

// Reports counts what was discarded, to tell the server. The zero value is ready.
type Reports struct {
	mu sync.Mutex
	// counts is guarded by mu.
	counts map[Discard]int64
}

// Discard names what a count is of.
type Discard struct {
	Reason   string   `json:"reason"`
	Category Category `json:"category"`
}

// Add counts.
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

// Take empties the counters.
func (r *Reports) Take() map[Discard]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.counts
	r.counts = nil
	return taken
}

// Restore puts back what could not be delivered.
func (r *Reports) Restore(counts map[Discard]int64) {
	for d, n := range counts {
		r.Add(d, n)
	}
}

type discardedEvent struct {
	Discard
	Quantity int64 `json:"quantity"`
}

// ReportItem is the item that tells the counts.
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
