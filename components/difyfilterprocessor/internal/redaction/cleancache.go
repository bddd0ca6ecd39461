// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"hash/maphash"
	"sync"
)

// cleanTexts caches texts in which nothing was found. Dify's statements, addresses, names and stack traces repeat, and
// comparing a text is much cheaper than searching it. Each text may be in one pair of slots, whose older text makes
// room for it, so that the cache neither grows nor allocates. Long texts have fewer slots, which bounds the memory.
type cleanTexts struct {
	seed  maphash.Seed
	short [512]cleanPair
	long  [128]cleanPair
}

// cleanPair has the newer text first.
type cleanPair [2]cleanText

type cleanText struct {
	text   string
	system string // of a statement
	view   view
}

const (
	maxPlainLength  = 64 // of texts that are worth a look by isPlain
	maxShortLength  = 4 << 10
	maxCachedLength = 16 << 10
)

// pair returns the slots of a text, and nil for a text that is not cached.
func (c *cleanTexts) pair(text string) *cleanPair {
	switch {
	case len(text) > maxCachedLength:
		return nil
	case len(text) > maxShortLength:
		return &c.long[maphash.String(c.seed, text)%uint64(len(c.long))]
	}
	return &c.short[maphash.String(c.seed, text)%uint64(len(c.short))]
}

// has reports whether a text is clean in a view. What is clean in viewText is clean in the views that cut less.
func (p *cleanPair) has(text, system string, v view) bool {
	if p == nil {
		return false
	}
	for i := range p {
		if t := &p[i]; (t.view == v || t.view == viewText && v != viewStatement) && t.system == system && t.text == text {
			return true
		}
	}
	return false
}

func (p *cleanPair) add(text, system string, v view) {
	if p != nil {
		p[1], p[0] = p[0], cleanText{text: text, system: system, view: v}
	}
}

// cachePool has one cache for each concurrent batch, so that batches do not wait for each other.
type cachePool struct{ pool sync.Pool }

// cleanCache belongs to one redactor, since the configuration determines what is clean.
type cleanCache struct {
	texts  cleanTexts
	rules  map[string]*keyRule
	recent [512]*keyRule // by recentSlot
}

// recentSlot returns a slot of a key that is cheaper to compute than the hash of a map, and differs for the keys of
// the conventions.
func recentSlot(key string) int {
	n := len(key)
	if n == 0 {
		return 0
	}
	return (n*31 + int(key[n-1])*7 + int(key[n/2])*13 + int(key[n/4]) + int(key[n*3/4])*3) & 511
}

const (
	maxCachedKeys  = 4096
	longestRuleKey = 128
)

func (p *cachePool) get() *cleanCache {
	if m, ok := p.pool.Get().(*cleanCache); ok {
		return m
	}
	m := &cleanCache{rules: map[string]*keyRule{}}
	m.texts.seed = maphash.MakeSeed()
	return m
}

func (p *cachePool) put(m *cleanCache) { p.pool.Put(m) }

// rule returns the rule for a key.
func (m *cleanCache) rule(r *Redactor, key string) *keyRule {
	slot := &m.recent[recentSlot(key)]
	if *slot != nil && (*slot).key == key {
		return *slot
	}
	if rule, ok := m.rules[key]; ok {
		*slot = rule
		return rule
	}
	found := r.keys.find(key)
	rule := &found
	rule.key, rule.plainStays = key, staysPlain(found)
	if rule.name = key; r.set.Secrets {
		rule.name, _ = r.scrub(key, viewText)
	}
	if len(m.rules) < maxCachedKeys && len(key) <= longestRuleKey {
		m.rules[key] = rule
	}
	return rule
}

// scrub is Redactor.scrub with a cache.
func (m *cleanCache) scrub(r *Redactor, text string, v view) (string, found) {
	if r.isPlain(text) {
		return text, 0
	}
	known := m.texts.pair(text)
	if known.has(text, "", v) {
		return text, 0
	}
	clean, rules := r.scrub(text, v)
	if rules == 0 {
		known.add(text, "", v)
	}
	return clean, rules
}

// scrubStatement removes the literals of a statement, and its secrets.
func (m *cleanCache) scrubStatement(r *Redactor, statement, system string) (string, found) {
	known := m.texts.pair(statement)
	if known.has(statement, system, viewStatement) {
		return statement, 0
	}
	bare, found := withoutLiterals(statement, system)
	clean, rules := r.scrub(bare, viewKept)
	if found {
		rules.add(ruleSQL)
	}
	if rules == 0 {
		known.add(statement, system, viewStatement)
	}
	return clean, rules
}
