// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestGenerationsForget(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	g := newGenerations[string, int](100, 10*time.Minute)
	assert.True(t, g.empty())
	g.set("used", 1, at(0))
	g.set("unused", 2, at(0))
	for minute := range 60 {
		v, ok := g.get("used", at(minute))
		assert.True(t, ok, "minute %d", minute)
		assert.Equal(t, 1, v)
	}
	_, ok := g.get("unused", at(60))
	assert.False(t, ok)
	_, ok = g.get("used", at(69))
	assert.True(t, ok, "at least ttl after the last use")
	_, ok = g.get("used", at(90))
	assert.False(t, ok)
	assert.True(t, g.empty())
}

func TestGenerationsAreBounded(t *testing.T) {
	g := newGenerations[int, int](10, time.Hour)
	now := time.Unix(1000, 0)
	for i := range 1000 {
		g.set(i, i, now)
		assert.LessOrEqual(t, len(g.current)+len(g.previous), 10)
		for recent := max(0, i-4); recent <= i; recent++ {
			_, ok := g.get(recent, now)
			assert.True(t, ok, "the newest are kept")
		}
	}
}

func TestGenerationsOfOne(t *testing.T) {
	g := newGenerations[int, int](1, time.Hour)
	g.set(1, 1, time.Unix(1, 0))
	_, ok := g.get(1, time.Unix(1, 0))
	assert.True(t, ok)
}
