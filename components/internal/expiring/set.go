// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package expiring

import (
	"sync"
	"time"
)

// Set is a bounded set that forgets, to recognize what was seen before. It has at most limit elements, and keeps one
// for ttl to 2*ttl after it was added unless limit/2 others were added since. Looking an element up does not prolong
// its stay.
//
// A Set is safe for concurrent use.
type Set[K comparable] struct {
	mu      sync.Mutex
	entries *Map[K, struct{}] // guarded by mu
}

// NewSet returns an empty set of at most limit elements.
func NewSet[K comparable](limit int, ttl time.Duration) *Set[K] {
	return &Set[K]{entries: NewMap[K, struct{}](limit, ttl)}
}

// Add adds an element and reports whether it is new.
func (s *Set[K]) Add(key K, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.entries.Peek(key, now); ok {
		return false
	}
	s.entries.Set(key, struct{}{}, now)
	return true
}

// Contains reports whether an element is in the set.
func (s *Set[K]) Contains(key K, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.entries.Peek(key, now)
	return ok
}

// Remove removes elements, so that Add reports them as new again.
func (s *Set[K]) Remove(keys ...K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.entries.Delete(key)
	}
}
