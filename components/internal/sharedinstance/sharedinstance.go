// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package sharedinstance lets a component's instances for traces, metrics and logs share what they have in common.
//
// The collector calls a factory once for each signal, each time with the same configuration: a pointer, which is the
// key.
package sharedinstance

import "sync"

// Map has one instance for each key, with the number of references to it. The zero Map is empty and ready to use.
// A Map is safe for concurrent use and must not be copied.
type Map[K comparable, V any] struct {
	mu      sync.Mutex
	entries map[K]*entry[V] // guarded by mu
}

type entry[V any] struct {
	instance   V
	references int
}

// Acquire returns the instance of key and adds a reference to it. The first call creates the instance; if that fails,
// nothing is stored and the next call tries again. No other call of the map proceeds while create runs, and create
// must not call the map.
func (m *Map[K, V]) Acquire(key K, create func() (V, error)) (V, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.entries[key]; ok {
		e.references++
		return e.instance, nil
	}
	instance, err := create()
	if err != nil {
		var none V
		return none, err
	}
	if m.entries == nil {
		m.entries = map[K]*entry[V]{}
	}
	m.entries[key] = &entry[V]{instance: instance, references: 1}
	return instance, nil
}

// Release gives one reference to the instance of key back. It reports whether that was the last one: the map has then
// forgotten the instance, and the caller shuts it down. Release of an unknown key does nothing and returns false.
func (m *Map[K, V]) Release(key K) (last bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	if !ok {
		return false
	}
	e.references--
	if e.references > 0 {
		return false
	}
	delete(m.entries, key)
	return true
}

// Forget removes the instance of key whatever references to it exist, for instances that end with the first shutdown.
// The next Acquire creates a new one.
func (m *Map[K, V]) Forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, key)
}
