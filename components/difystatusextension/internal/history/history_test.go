// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHistory(t *testing.T) {
	h, at := &History{}, time.Unix(1764568000, 0)
	assert.Zero(t, h.Rate("a"))
	h.Observe("a", 0, at)
	assert.True(t, h.Grown("a").IsZero(), "0 is no success")
	h.Observe("a", 30, at.Add(15*time.Second))
	assert.InDelta(t, 2, h.Rate("a"), 0)
	assert.Equal(t, at.Add(15*time.Second), h.Grown("a"))
	h.Observe("a", 30, at.Add(30*time.Second))
	assert.Zero(t, h.Rate("a"))
	assert.Equal(t, at.Add(15*time.Second), h.Grown("a"))
	h.Observe("a", 1, at.Add(45*time.Second))
	assert.Zero(t, h.Rate("a"), "a restart is no negative rate")
	for i := range maxCounters + 10 {
		h.Observe(string(rune(i+1000)), 1, at)
	}
	assert.Len(t, h.counters, maxCounters)
}
