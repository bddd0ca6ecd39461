// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tally

import "sync"

// OtherKey is the label of keys beyond the first maxKeys, and of keys that are not names of attributes.
const OtherKey = "other"

const (
	maxKeys    = 100
	longestKey = 64
)

// labels bounds the number of values of a label that comes from data.
type labels struct {
	mu   sync.Mutex
	seen map[string]bool
}

var removedKeys = labels{seen: map[string]bool{}}

// label returns the key, or OtherKey.
func (l *labels) label(key string) string {
	if !isAttributeName(key) {
		return OtherKey
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.seen[key] {
		if len(l.seen) == maxKeys {
			return OtherKey
		}
		l.seen[key] = true
	}
	return key
}

// isAttributeName reports whether a key is like the name of an attribute rather than a text.
func isAttributeName(key string) bool {
	if key == "" || len(key) > longestKey {
		return false
	}
	digits := 0
	for i := range len(key) {
		switch c := key[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return digits <= 3 // not the ID of something
}
