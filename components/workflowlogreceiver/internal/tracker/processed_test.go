// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Memory is bounded; knowledge is not.
func TestProcessedIDsForgetNothing(t *testing.T) {
	const partLength = 1024
	stored, p := map[Minute][]ID{}, NewProcessedIDs()
	load := func(m Minute) {
		for _, m := range p.Missing(m) {
			p.Load(m, slices.Clone(stored[m]))
		}
	}
	save := func() {
		for _, part := range p.Changes(partLength) {
			stored[part.Minute] = append(stored[part.Minute][:part.Number*partLength], part.IDs...)
		}
		p.Saved()
		assert.Empty(t, p.Changes(partLength))
	}
	var keys []source.Key
	for i := range maxIDsInMemory + maxIDsInMemory/4 {
		key := source.Key{
			ID:        fmt.Sprintf("00000000-0000-4000-8000-%012d", i),
			CreatedAt: noon.Add(time.Duration(i/10_000) * time.Minute),
		}
		load(MinuteOf(key.CreatedAt))
		require.False(t, p.Has(key))
		p.add(key)
		keys = append(keys, key)
		if i%10_000 == 0 {
			save()
		}
	}
	save()
	assert.LessOrEqual(t, p.ids, maxIDsInMemory)
	for _, key := range keys {
		load(MinuteOf(key.CreatedAt))
		require.True(t, p.Has(key))
	}
}

func TestMinuteOf(t *testing.T) {
	for text, want := range map[string]Minute{
		"1970-01-01T00:00:00Z": 0, "1970-01-01T00:00:59Z": 0, "1970-01-01T00:01:00Z": 1,
		"1969-12-31T23:59:59Z": -1, "1969-12-31T23:59:00Z": -1,
		"1969-12-31T23:58:59Z": -2,
	} {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		assert.Equal(t, want, MinuteOf(at), text)
		assert.False(t, MinuteOf(at).Time().After(at))
	}
}
