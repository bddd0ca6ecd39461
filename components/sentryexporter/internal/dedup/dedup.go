// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package dedup recognizes items that come again.
package dedup

import (
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

const (
	// maxIDs and ttl bound what is remembered: events, transactions, log records and pushes of spans, for one to two
	// hours.
	maxIDs = 200_000
	ttl    = time.Hour
)

// Seen remembers the IDs of what was accepted for delivery. It is safe for concurrent use.
//
// An ID is added before its item is queued, so that two concurrent pushes cannot both send it, and removed again if the
// queue does not accept the item: otherwise the redelivery that follows would be mistaken for a duplicate. After a
// restart nothing is remembered; Sentry recognizes events and transactions by their ID then.
type Seen struct {
	ids *expiring.Set[item.ID]
}

// NewSeen returns a Seen that remembers nothing.
func NewSeen() *Seen { return &Seen{ids: expiring.NewSet[item.ID](maxIDs, ttl)} }

// Add remembers an ID and reports whether it is new.
func (s *Seen) Add(id item.ID, now time.Time) bool { return s.ids.Add(id, now) }

// Contains reports whether an ID is remembered.
func (s *Seen) Contains(id item.ID, now time.Time) bool { return s.ids.Contains(id, now) }

// Split adds the items' IDs and separates new items from those that were seen before.
func (s *Seen) Split(items []*item.Item, now time.Time) (fresh, duplicates []*item.Item) {
	fresh = items[:0]
	for _, it := range items {
		if s.Reported(it, now) || !s.Add(it.ID, now) {
			duplicates = append(duplicates, it)
			continue
		}
		for _, id := range it.Relations.Marks {
			s.Add(id, now)
		}
		fresh = append(fresh, it)
	}
	return fresh, duplicates
}

// Reported reports whether the item, or a recording that includes it, was accepted for delivery.
func (s *Seen) Reported(it *item.Item, now time.Time) bool {
	return s.Contains(it.ID, now) ||
		slices.ContainsFunc(it.Relations.Checks, func(id item.ID) bool { return s.Contains(id, now) })
}

// Forget removes the IDs of items that were not queued, and of their log records.
func (s *Seen) Forget(items ...*item.Item) {
	for _, it := range items {
		s.ids.Remove(it.ID)
		s.ids.Remove(it.RecordIDs...)
		s.ids.Remove(it.Relations.Marks...)
	}
}

// ForgetIDs removes IDs.
func (s *Seen) ForgetIDs(ids ...item.ID) { s.ids.Remove(ids...) }
