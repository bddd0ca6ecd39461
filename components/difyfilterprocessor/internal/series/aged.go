// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package series

// aged is a map in two generations: entries that were not used since the last rotation but one are forgotten. Unlike
// expiring.Map it has no limit at which it forgets others. The zero value is empty.
type aged[K comparable, V any] struct{ current, previous map[K]V }

func (a *aged[K, V]) len() int { return len(a.current) + len(a.previous) }

// get returns an entry.
func (a *aged[K, V]) get(key K) (V, bool) {
	if v, ok := a.current[key]; ok {
		return v, true
	}
	v, ok := a.previous[key]
	return v, ok
}

// promote marks an entry as used and reports whether it was not since the last rotation.
func (a *aged[K, V]) promote(key K) bool {
	v, ok := a.previous[key]
	if ok {
		delete(a.previous, key)
		a.put(key, v)
	}
	return ok
}

func (a *aged[K, V]) put(key K, v V) {
	if a.current == nil {
		a.current = map[K]V{}
	}
	a.current[key] = v
}

func (a *aged[K, V]) rotate() { a.previous, a.current = a.current, nil }
