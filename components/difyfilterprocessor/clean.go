// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"hash/maphash"
	"sync"
)

// cleanTexts remembers texts in which nothing was found. Dify's statements, addresses and names come again and again, and to
// compare is much cheaper than to search. A text has one place, which another may take: nothing grows, nothing is allocated.
type cleanTexts struct {
	seed  maphash.Seed
	slots [1024]cleanText
}

type cleanText struct{ text, language string }

// What is shorter is searched as fast; what is longer would hold memory.
const (
	shortestRemembered = 48
	longestRemembered  = 4096
)

// place is nil for a text that is not worth to remember.
func (c *cleanTexts) place(text string) *cleanText {
	if len(text) < shortestRemembered || len(text) > longestRemembered {
		return nil
	}
	return &c.slots[maphash.String(c.seed, text)%uint64(len(c.slots))]
}

// cleanPool holds what one goroutine after another uses, so that none waits for another.
type cleanPool struct{ pool sync.Pool }

// cleanMemory is of one redactor: what is clean depends on the configuration. Statements are apart, since they are searched
// for something else.
type cleanMemory struct{ secrets, statements cleanTexts }

func (p *cleanPool) get() *cleanMemory {
	if m, ok := p.pool.Get().(*cleanMemory); ok {
		return m
	}
	m := &cleanMemory{}
	m.secrets.seed, m.statements.seed = maphash.MakeSeed(), maphash.MakeSeed()
	return m
}

func (p *cleanPool) put(m *cleanMemory) { p.pool.Put(m) }

// scrub is a scrubber's, for a text that may have been searched before.
func (m *cleanMemory) scrub(s *scrubber, text string) (string, bool) {
	place := m.secrets.place(text)
	if place != nil && place.text == text {
		return text, false
	}
	clean, found := s.scrub(text)
	if !found && place != nil {
		place.text = text
	}
	return clean, found
}

// withoutLiterals is the same for statements.
func (m *cleanMemory) withoutLiterals(statement, system string) (string, bool) {
	place := m.statements.place(statement)
	if place != nil && place.text == statement && place.language == system {
		return statement, false
	}
	clean, found := withoutLiterals(statement, system)
	if !found && place != nil {
		*place = cleanText{statement, system}
	}
	return clean, found
}
