// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

func TestSeen(t *testing.T) {
	now := time.Now()
	s := NewSeen()
	a := &item.Item{ID: item.NewID("a", "bc"), RecordIDs: []item.ID{item.NewID("record")}}
	b := &item.Item{ID: item.NewID("ab", "c")}
	assert.NotEqual(t, a.ID, b.ID, "parts keep their boundaries")
	fresh, duplicates := s.Split([]*item.Item{a, b, a}, now)
	assert.Equal(t, []*item.Item{a, b}, fresh)
	assert.Equal(t, []*item.Item{a}, duplicates)
	assert.True(t, s.Add(a.RecordIDs[0], now))
	assert.True(t, s.Contains(a.ID, now.Add(ttl)), "one to two lifetimes")
	assert.False(t, s.Contains(a.ID, now.Add(2*ttl)))
	assert.True(t, s.Add(a.ID, now.Add(2*ttl)))
	s.Forget(a)
	assert.True(t, s.Add(a.ID, now.Add(2*ttl)))
	assert.True(t, s.Add(a.RecordIDs[0], now.Add(2*ttl)))
}
