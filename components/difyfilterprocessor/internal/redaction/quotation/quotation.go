// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package quotation finds what users and models wrote in the error texts of the same trace: a provider's message may
// quote the prompt, and the message of a code node its input.
package quotation

import (
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// Bounds of the memory: 4 MiB at most.
const (
	maxTraces  = 1024
	maxPhrases = 32 // of a trace
	maxLength  = 128
)

// A phrase is recognized by its first window bytes, and cut if at least minQuote bytes of it, or all of it, follow.
const (
	window   = 16
	minQuote = 24
	minWords = 3 // of a phrase in ASCII: two words may be a name
)

// Memory remembers the first bytes of the lines that users and models wrote in recent traces. It is safe for
// concurrent use.
type Memory struct {
	mu     sync.Mutex
	traces *expiring.Map[pcommon.TraceID, []string] // guarded by mu
}

// NewMemory returns an empty memory.
func NewMemory() *Memory {
	return &Memory{traces: expiring.NewMap[pcommon.TraceID, []string](maxTraces, time.Hour)}
}

// Add remembers the lines of a text.
func (m *Memory) Add(trace pcommon.TraceID, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, _ := m.traces.Get(trace, time.Time{})
	before := len(known)
	for line := range strings.SplitSeq(text, "\n") {
		if len(known) == maxPhrases {
			break
		}
		if line = strings.TrimSpace(line); isPhrase(line) && !contains(known, line) {
			known = append(slices.Clip(known), strings.Clone(first(line, maxLength)))
		}
	}
	if len(known) > before {
		m.traces.Set(trace, known, time.Time{})
	}
}

// Of returns what was remembered of a trace.
func (m *Memory) Of(trace pcommon.TraceID) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, _ := m.traces.Get(trace, time.Time{})
	return known
}

// isPhrase reports whether a line is long enough not to be a name, an ID or a word of a program.
func isPhrase(line string) bool {
	if len(line) < window {
		return false
	}
	for _, prefix := range [...]string{"Traceback (", "File \"", "During handling of", "The above exception"} {
		if strings.HasPrefix(line, prefix) {
			return false // users paste stack traces
		}
	}
	for i := range len(line) {
		if line[i] >= utf8.RuneSelf {
			return true
		}
	}
	return strings.Count(line, " ") >= minWords-1
}

func contains(known []string, line string) bool {
	for _, phrase := range known {
		if strings.HasPrefix(line, phrase) {
			return true
		}
	}
	return false
}

// first returns at most n bytes of a text, never half of a character.
func first(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// Range is a part of a text.
type Range struct{ From, To int }

// Find returns the quotations of phrases in a text, in one pass over it. A quotation that is longer than what is
// remembered of the phrase ends at one of the bytes of ends.
func Find(text string, phrases []string, ends string) []Range {
	if len(phrases) == 0 || len(text) < window {
		return nil
	}
	byHash := make(map[uint64][]string, len(phrases))
	for _, phrase := range phrases {
		h := hashOf(phrase[:window])
		byHash[h] = append(byHash[h], phrase)
	}
	var found []Range
	hash := hashOf(text[:window])
	for at := 0; ; at++ {
		if length := quoted(text[at:], byHash[hash], ends); length > 0 {
			found = append(found, Range{at, at + length})
			at += length
			if at+window > len(text) {
				return found
			}
			hash = hashOf(text[at : at+window])
			at--
			continue
		}
		if at+window >= len(text) {
			return found
		}
		hash = (hash-uint64(text[at])*highest)*base + uint64(text[at+window])
	}
}

// quoted returns how many bytes at the start of a text are a quotation of one of the phrases.
func quoted(text string, phrases []string, ends string) int {
	longest := 0
	for _, phrase := range phrases {
		n := 0
		for n < len(text) && n < len(phrase) && text[n] == phrase[n] {
			n++
		}
		switch {
		case n < len(phrase) && n < minQuote:
			continue
		case n == len(phrase) && n > maxLength-utf8.UTFMax:
			for n < len(text) && strings.IndexByte(ends, text[n]) < 0 {
				n++
			}
		}
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		longest = max(longest, n)
	}
	return longest
}

// The hash of a window is a polynomial, so that the next one costs two multiplications.
const base = 1099511628211

var highest = func() uint64 {
	power := uint64(1)
	for range window - 1 {
		power *= base
	}
	return power
}()

func hashOf(text string) uint64 {
	hash := uint64(0)
	for i := range len(text) {
		hash = hash*base + uint64(text[i])
	}
	return hash
}
