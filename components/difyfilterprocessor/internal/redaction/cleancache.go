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
	minCachedLength = 20
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
type cleanCache struct {
	texts      [views]cleanTexts
	statements cleanTexts
	rules      map[string]keyRule
}

const (
	maxCachedKeys  = 4096
	longestRuleKey = 128
)

func (p *cachePool) get() *cleanCache {
	if m, ok := p.pool.Get().(*cleanCache); ok {
		return m
	}
	m := &cleanCache{rules: map[string]keyRule{}}
	for i := range m.texts {
		m.texts[i].seed = maphash.MakeSeed()
	}
	m.statements.seed = maphash.MakeSeed()
	return m
}

func (p *cachePool) put(m *cleanCache) { p.pool.Put(m) }

// rule returns the rule for a key.
func (m *cleanCache) rule(r *Redactor, key string) keyRule {
	if rule, ok := m.rules[key]; ok {
		return rule
	}
	rule := r.keys.find(key)
	if rule.name = key; r.set.Secrets {
		rule.name, _ = r.scrub(key, viewKept)
	}
	if len(m.rules) < maxCachedKeys && len(key) <= longestRuleKey {
		m.rules[key] = rule
	}
	return rule
}

// scrub is Redactor.scrub with a cache.
func (m *cleanCache) scrub(r *Redactor, text string, v view) (string, found) {
	slot := m.texts[v].slot(text)
	if slot != nil && slot.text == text {
		return text, 0
	}
	clean, rules := r.scrub(text, v)
	if rules == 0 && slot != nil {
		slot.text = text
	}
	return clean, rules
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
