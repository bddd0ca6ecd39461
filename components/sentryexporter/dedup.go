// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"crypto/sha256"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// identifyPush makes an id of the spans of a part that came together.
func identifyPush(part partKey, ids []pcommon.SpanID) item.ID {
	h := sha256.New()
	h.Write([]byte("push"))
	h.Write(part.process[:])
	h.Write(part.trace[:])
	for _, id := range ids {
		h.Write(id[:])
	}
	var sum [sha256.Size]byte
	return item.ID(h.Sum(sum[:0])[:16])
}

// memory remembers what was told, for a time and up to a number, to recognize it when it comes again. It has two
// generations: when the younger is full or old enough, the older is forgotten.
type memory struct {
	capacity int           // of one generation
	lifetime time.Duration // of one generation

	mu sync.Mutex
	// What follows is guarded by mu.
	young, old map[item.ID]struct{}
	born       time.Time
}

func newMemory(capacity int, lifetime time.Duration) *memory {
	return &memory{capacity: capacity / 2, lifetime: lifetime, young: map[item.ID]struct{}{}}
}

// add remembers an id and tells whether it is new.
func (m *memory) add(id item.ID, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(now)
	if m.has(id) {
		return false
	}
	m.young[id] = struct{}{}
	return true
}

// known tells whether an id is remembered.
func (m *memory) known(id item.ID, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(now)
	return m.has(id)
}

// forget takes back what was not told after all.
func (m *memory) forget(ids ...item.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.young, id)
		delete(m.old, id)
	}
}

func (m *memory) has(id item.ID) bool {
	if _, ok := m.young[id]; ok {
		return true
	}
	_, ok := m.old[id]
	return ok
}

func (m *memory) turn(now time.Time) {
	age := now.Sub(m.born)
	if len(m.young) < m.capacity && age < m.lifetime {
		return
	}
	if age >= 2*m.lifetime {
		m.young = nil
	}
	m.old, m.young, m.born = m.young, map[item.ID]struct{}{}, now
}
