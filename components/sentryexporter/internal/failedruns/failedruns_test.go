// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package failedruns

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

func TestRunsAreBounded(t *testing.T) {
	s := &Store{}
	now := time.Now()
	pending, noRoom := 0, 0
	for i := range 10_000 {
		it := &item.Item{Run: fmt.Sprint("run-", i)}
		switch s.Add(t.Context(), it, now) {
		case Pending:
			pending++
		case NoRoom:
			noRoom++
		case Superseded:
			t.Error("a run for which there is no room is reported immediately")
		}
	}
	assert.Equal(t, pending, s.Len())
	assert.LessOrEqual(t, pending, shardCount*maxPending)
	assert.Equal(t, 10_000, pending+noRoom)
	for i := range 40_000 {
		_, err := s.Supersede(t.Context(), now, fmt.Sprint("other-", i))
		require.NoError(t, err)
	}
	for i := range s.shards {
		assert.LessOrEqual(t, len(s.shards[i].Superseded), maxSuperseded)
	}
}
