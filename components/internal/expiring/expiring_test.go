// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package expiring

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestMapExpires(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	m := NewMap[string, int](100, 10*time.Minute)
	assert.True(t, m.Empty())
	m.Set("used", 1, at(0))
	m.Set("unused", 2, at(0))
	for minute := range 60 {
		v, ok := m.Get("used", at(minute))
		assert.True(t, ok, "minute %d", minute)
		assert.Equal(t, 1, v)
	}
	_, ok := m.Get("unused", at(60))
	assert.False(t, ok)
	_, ok = m.Get("used", at(69))
	assert.True(t, ok, "at least ttl after the last use")
	_, ok = m.Get("used", at(90))
	assert.False(t, ok)
	assert.True(t, m.Empty())
}

func TestMapIsBounded(t *testing.T) {
	for _, limit := range []int{0, 1, 2, 3, 10} {
		m := NewMap[int, int](limit, time.Hour)
		now := time.Unix(1000, 0)
		for i := range 1000 {
			m.Set(i, i, now)
			assert.LessOrEqual(t, len(m.current)+len(m.previous), max(limit, 2*m.limit))
			for recent := max(0, i-limit/2+1); recent <= i && limit > 0; recent++ {
				v, ok := m.Get(recent, now)
				assert.True(t, ok, "limit %d: the newest are kept", limit)
				assert.Equal(t, recent, v)
			}
		}
		assert.Equal(t, limit == 0, m.Empty())
	}
}

func TestMapPeekDoesNotCountAsUse(t *testing.T) {
	start := time.Unix(1000, 0)
	m := NewMap[string, int](10, time.Hour)
	m.Set("a", 1, start)
	_, ok := m.Peek("a", start.Add(time.Hour))
	assert.True(t, ok)
	_, ok = m.Peek("a", start.Add(2*time.Hour))
	assert.False(t, ok)
}

func TestMapDelete(t *testing.T) {
	start := time.Unix(1000, 0)
	m := NewMap[string, int](10, time.Hour)
	m.Set("a", 1, start)
	_, ok := m.Get("a", start.Add(time.Hour)) // now in both generations
	assert.True(t, ok)
	m.Delete("a")
	_, ok = m.Get("a", start.Add(time.Hour))
	assert.False(t, ok)
}

func TestSet(t *testing.T) {
	now := time.Now()
	s := NewSet[int](10, time.Hour)
	assert.True(t, s.Add(-1, now))
	assert.False(t, s.Add(-1, now))
	assert.True(t, s.Contains(-1, now.Add(time.Hour)), "one to two lifetimes")
	assert.False(t, s.Contains(-1, now.Add(2*time.Hour)))
	assert.True(t, s.Add(-1, now.Add(2*time.Hour)))
	s.Remove(-1, -2)
	assert.True(t, s.Add(-1, now.Add(2*time.Hour)))
	for i := range 100 {
		s.Add(i, now.Add(2*time.Hour))
		assert.LessOrEqual(t, len(s.entries.current)+len(s.entries.previous), 10)
	}
	assert.False(t, s.Contains(-1, now.Add(2*time.Hour)), "bounded")
}
