// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"hash/maphash"
	"sync"
)

// cleanTexts caches texts in which nothing was found. Dify's statements, addresses and names repeat, and comparing a
// text is much cheaper than searching it. Each text has one slot, which another text may take over, so that the cache
// neither grows nor allocates.
type cleanTexts struct {
	seed  maphash.Seed
	slots [1024]cleanText
}

type cleanText struct{ text, language string }

// Shorter texts are searched as fast as they are compared. Longer texts would take too much memory.
const (
	minCachedLength = 48
	maxCachedLength = 4096
)

// slot returns the slot of a text, and nil for a text that is not cached.
func (c *cleanTexts) slot(text string) *cleanText {
	if len(text) < minCachedLength || len(text) > maxCachedLength {
		return nil
	}
	return &c.slots[maphash.String(c.seed, text)%uint64(len(c.slots))]
}

// cachePool has one cache for each concurrent batch, so that batches do not wait for each other.
type cachePool struct{ pool sync.Pool }

// cleanCache belongs to one redactor, since the configuration determines what is clean. Statements have a cache of
// their own, since they are searched for literals.
type cleanCache struct{ secrets, statements cleanTexts }

func (p *cachePool) get() *cleanCache {
	if m, ok := p.pool.Get().(*cleanCache); ok {
		return m
	}
	m := &cleanCache{}
	m.secrets.seed, m.statements.seed = maphash.MakeSeed(), maphash.MakeSeed()
	return m
}

func (p *cachePool) put(m *cleanCache) { p.pool.Put(m) }

// scrub is scrubber.scrub with a cache.
func (m *cleanCache) scrub(s *scrubber, text string) (string, bool) {
	slot := m.secrets.slot(text)
	if slot != nil && slot.text == text {
		return text, false
	}
	clean, found := s.scrub(text)
	if !found && slot != nil {
		slot.text = text
	}
	return clean, found
}

// withoutLiterals is the function of that name with a cache.
func (m *cleanCache) withoutLiterals(statement, system string) (string, bool) {
	slot := m.statements.slot(statement)
	if slot != nil && slot.text == statement && slot.language == system {
		return statement, false
	}
	clean, found := withoutLiterals(statement, system)
	if !found && slot != nil {
		*slot = cleanText{statement, system}
	}
	return clean, found
}
