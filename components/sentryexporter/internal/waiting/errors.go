// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package waiting

import (
	"context"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// idsOf returns the IDs by which a pending error is found.
func idsOf(it *item.Item) []item.ID {
	ids := append([]item.ID{it.ID}, it.Relations.Checks...)
	for _, id := range []item.ID{it.Relations.Text, it.Relations.Parent, it.Relations.Trace} {
		if id != (item.ID{}) {
			ids = append(ids, id)
		}
	}
	return ids
}

// index adds an error to byID. The caller holds mu.
func (s *Store) index(it *item.Item) {
	if !isError(it.Waits) {
		return
	}
	if s.byID == nil {
		s.byID = map[item.ID][]*item.Item{}
	}
	for _, id := range idsOf(it) {
		s.byID[id] = append(s.byID[id], it)
	}
}

// unindex removes an error from byID. The caller holds mu.
func (s *Store) unindex(it *item.Item) {
	if !isError(it.Waits) {
		return
	}
	for _, id := range idsOf(it) {
		left := slices.DeleteFunc(s.byID[id], func(other *item.Item) bool { return other.Waits == it.Waits })
		if s.byID[id] = left; len(left) == 0 {
			delete(s.byID, id)
		}
	}
}

// Waiting reports whether an error is pending, so that a caller can save the search.
func (s *Store) Waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID) > 0
}

// Release removes and returns the errors that recordings with the IDs include.
func (s *Store) Release(ctx context.Context, ids ...item.ID) (released []*item.Item, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		for _, it := range s.byID[id] {
			r := &it.Relations
			if r.Parent != id && r.Text != id && r.Trace != id && !slices.Contains(released, it) {
				released = append(released, it)
			}
		}
	}
	if len(released) == 0 {
		return nil, nil
	}
	return released, s.remove(ctx, released)
}

// Below returns the errors of client spans whose known part of the trace ends below a span.
func (s *Store) Below(parent item.ID) []*item.Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*item.Item
	for _, it := range s.byID[parent] {
		if it.Relations.Parent == parent {
			out = append(out, it)
		}
	}
	return out
}

// SetParent notes that more of the trace is known. It is not stored: after a restart the error waits as if it were not.
func (s *Store) SetParent(it *item.Item, parent item.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unindex(it)
	it.Relations.Parent = parent
	s.index(it)
}

// InTrace reports whether an error of a trace is pending.
func (s *Store) InTrace(trace item.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return trace != (item.ID{}) && len(s.byID[trace]) > 0
}

// WithText returns a pending error with a text at about a time; nil if there is none.
func (s *Store) WithText(text item.ID, at time.Time, within time.Duration) *item.Item {
	return s.find(text, at, within, func(*item.Item) bool { return true })
}

// SpanWithText is WithText for errors of spans only.
func (s *Store) SpanWithText(text item.ID, at time.Time, within time.Duration) *item.Item {
	return s.find(text, at, within, func(it *item.Item) bool { return !it.Relations.Line })
}

func (s *Store) find(text item.ID, at time.Time, within time.Duration, is func(*item.Item) bool) *item.Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.byID[text] {
		if it.Relations.Text == text && it.Time.Sub(at).Abs() <= within && is(it) {
			return it
		}
	}
	return nil
}
