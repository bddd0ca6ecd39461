// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package expiring provides a map and a set that are bounded in size and forget their entries after a time.
//
// Both consist of two generations, each a plain map: when the current one is full or old enough, it becomes the
// previous one, and the previous one is discarded as a whole. This needs neither a list of entries by age nor a
// goroutine. The caller passes the current time, so that tests control it.
package expiring

import "time"

// Map is a bounded map that forgets. It has at most limit entries, and keeps an entry for at least ttl after its last
// use unless limit/2 other entries were used since. An unused entry is gone after at most 2*ttl.
//
// A Map is not safe for concurrent use: callers that share one need a lock of their own, which can then span several
// calls.
type Map[K comparable, V any] struct {
	limit    int // of one generation
	ttl      time.Duration
	began    time.Time // when the current generation began
	current  map[K]V
	previous map[K]V
}

// NewMap returns an empty map of at most limit entries. A map with limit 0 stores nothing.
func NewMap[K comparable, V any](limit int, ttl time.Duration) *Map[K, V] {
	return &Map[K, V]{limit: min(limit, max(1, limit/2)), ttl: ttl, current: map[K]V{}}
}

// Get returns the value of key. That counts as a use of the entry.
func (m *Map[K, V]) Get(key K, now time.Time) (V, bool) {
	m.expire(now)
	if v, ok := m.current[key]; ok {
		return v, true
	}
	v, ok := m.previous[key]
	if ok {
		m.Set(key, v, now)
	}
	return v, ok
}

// Peek returns the value of key. Unlike Get, it does not count as a use of the entry.
func (m *Map[K, V]) Peek(key K, now time.Time) (V, bool) {
	m.expire(now)
	if v, ok := m.current[key]; ok {
		return v, true
	}
	v, ok := m.previous[key]
	return v, ok
}

// Set stores a value. That counts as a use of the entry.
func (m *Map[K, V]) Set(key K, value V, now time.Time) {
	if m.limit == 0 {
		return
	}
	m.expire(now)
	if _, ok := m.current[key]; !ok && len(m.current) >= m.limit {
		m.rotate(now)
	}
	m.current[key] = value
}

// Delete removes the entry of key, if there is one.
func (m *Map[K, V]) Delete(key K) {
	delete(m.current, key)
	delete(m.previous, key)
}

// Empty reports whether the map has no entries. Without another call, it does not notice that entries have expired.
func (m *Map[K, V]) Empty() bool {
	return len(m.current) == 0 && len(m.previous) == 0
}

func (m *Map[K, V]) expire(now time.Time) {
	if len(m.current) == 0 && m.previous == nil {
		m.began = now
		return
	}
	age := now.Sub(m.began)
	if age < m.ttl {
		return
	}
	m.rotate(now)
	if age >= 2*m.ttl {
		m.previous = nil
	}
}

func (m *Map[K, V]) rotate(now time.Time) {
	m.previous, m.current, m.began = m.current, make(map[K]V), now
}
