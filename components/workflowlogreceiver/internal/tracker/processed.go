// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"crypto/sha1" //nolint:gosec // a short name for a non-UUID, not a secret
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	minuteWidth = time.Minute
	// maxIDsInMemory is the number of IDs kept in memory. Above it the oldest are dropped from memory, and loaded again
	// when they are needed.
	maxIDsInMemory = 200_000
)

// ID is the ID of a row in 16 bytes.
type ID [16]byte

func idOf(text string) ID {
	if parsed, err := uuid.Parse(text); err == nil {
		return ID(parsed)
	}
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see the import
	return ID(sum[:16])
}

// Minute is a number of minutes since 1970.
type Minute int64

// MinuteOf returns the minute of a time.
func MinuteOf(t time.Time) Minute {
	seconds, width := t.Unix(), int64(minuteWidth/time.Second)
	if seconds < 0 {
		seconds -= width - 1
	}
	return Minute(seconds / width)
}

// Time returns the beginning of the minute.
func (m Minute) Time() time.Time { return time.Unix(int64(m)*int64(minuteWidth/time.Second), 0).UTC() }

// MinutesOf returns the minutes of some rows, each once if the rows are ordered by time.
func MinutesOf[T any](rows []T, createdAt func(*T) time.Time) []Minute {
	var minutes []Minute
	for i := range rows {
		if m := MinuteOf(createdAt(&rows[i])); len(minutes) == 0 || minutes[len(minutes)-1] != m {
			minutes = append(minutes, m)
		}
	}
	return minutes
}

// ProcessedIDs is the set of the rows that have been processed, by the minute of their creation time. The storage has
// all of them; memory has the minutes that were needed recently.
//
// These invariants hold between two calls:
//   - A minute in memory has all its IDs: the stored ones, followed by those added since, in the order of their
//     addition.
//   - An ID is in the list of a minute at most once, and is never removed from it while the minute is kept.
//   - Only the last part of a minute ever changes. Changes therefore returns at most one part that was stored before.
//   - A minute with unsaved IDs stays in memory: minutes leave it only in Saved and Forget.
//
// The caller loads the minutes of rows (Missing, Load) before it asks for them (Has) or adds to them.
type ProcessedIDs struct {
	minutes map[Minute]*minuteIDs
	ids     int // in minutes
}

type minuteIDs struct {
	order  []ID // as they are stored
	known  map[ID]struct{}
	stored int // how many of order are stored
}

// Part is a part of the list of one minute: the IDs from Number times the length of a part.
type Part struct {
	Minute Minute
	Number int
	IDs    []ID
}

// NewProcessedIDs returns an empty set.
func NewProcessedIDs() *ProcessedIDs { return &ProcessedIDs{minutes: map[Minute]*minuteIDs{}} }

// Missing returns those of the minutes that are not in memory.
func (p *ProcessedIDs) Missing(minutes ...Minute) []Minute {
	var missing []Minute
	for _, m := range minutes {
		if p.minutes[m] == nil && !slices.Contains(missing, m) {
			missing = append(missing, m)
		}
	}
	return missing
}

// Load adds a minute with its stored IDs to memory.
func (p *ProcessedIDs) Load(m Minute, stored []ID) {
	s := &minuteIDs{order: stored, known: make(map[ID]struct{}, len(stored)), stored: len(stored)}
	for _, id := range stored {
		s.known[id] = struct{}{}
	}
	p.minutes[m] = s
	p.ids += len(stored)
}

// Has reports whether a row has been processed. It is false for a minute that is not in memory.
func (p *ProcessedIDs) Has(key source.Key) bool {
	s := p.minutes[MinuteOf(key.CreatedAt)]
	if s == nil {
		return false
	}
	_, ok := s.known[idOf(key.ID)]
	return ok
}

func (p *ProcessedIDs) add(key source.Key) {
	s := p.minutes[MinuteOf(key.CreatedAt)]
	id := idOf(key.ID)
	if _, ok := s.known[id]; ok {
		return
	}
	s.known[id] = struct{}{}
	s.order = append(s.order, id)
	p.ids++
}

// Count returns the number of IDs of a minute in memory.
func (p *ProcessedIDs) Count(m Minute) int {
	if s := p.minutes[m]; s != nil {
		return len(s.order)
	}
	return 0
}

// Changes returns the parts that are not stored as they are, in parts of the given length.
func (p *ProcessedIDs) Changes(length int) []Part {
	var parts []Part
	for m, s := range p.minutes {
		for number := s.stored / length; number*length < len(s.order) && s.stored < len(s.order); number++ {
			parts = append(parts, Part{m, number, s.order[number*length : min((number+1)*length, len(s.order))]})
		}
	}
	return parts
}

// Saved records that the changes have been stored, and then limits the memory.
func (p *ProcessedIDs) Saved() {
	for _, s := range p.minutes {
		s.stored = len(s.order)
	}
	if p.ids <= maxIDsInMemory {
		return
	}
	for _, m := range slices.Sorted(maps.Keys(p.minutes)) {
		if p.ids <= maxIDsInMemory/2 {
			return
		}
		p.Forget(m)
	}
}

// Forget removes a minute from memory.
func (p *ProcessedIDs) Forget(m Minute) {
	if s := p.minutes[m]; s != nil {
		p.ids -= len(s.order)
		delete(p.minutes, m)
	}
}
