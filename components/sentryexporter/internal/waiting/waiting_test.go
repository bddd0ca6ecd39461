// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package waiting

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

func TestRunsAreBounded(t *testing.T) {
	s := &Store{}
	now := time.Now()
	pending, noRoom := 0, 0
	for i := range 10_000 {
		it := &item.Item{Waits: fmt.Sprint("run-", i)}
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
	assert.LessOrEqual(t, pending, runShards*maxPending)
	assert.Equal(t, 10_000, pending+noRoom)
	for i := range 40_000 {
		_, err := s.Supersede(t.Context(), now, fmt.Sprint("other-", i))
		require.NoError(t, err)
	}
	for i := range s.shards {
		assert.LessOrEqual(t, len(s.shards[i].Superseded), maxSuperseded)
	}
}

// mapClient is a storage client.
type mapClient map[string][]byte

func (m mapClient) Get(_ context.Context, key string) ([]byte, error) { return m[key], nil }
func (m mapClient) Set(_ context.Context, key string, v []byte) error { m[key] = v; return nil }
func (m mapClient) Delete(_ context.Context, key string) error        { delete(m, key); return nil }
func (mapClient) Batch(context.Context, ...*storage.Operation) error  { return nil }
func (mapClient) Close(context.Context) error                         { return nil }

// TestRunsOfAnEarlierVersionAreRead reads what the version with the collector v0.165 stored first.
func TestRunsOfAnEarlierVersionAreRead(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "stored_runs.json"))
	require.NoError(t, err)
	var shards map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &shards))
	disk := mapClient{}
	for key, shard := range shards {
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, shard))
		disk[key] = compact.Bytes()
	}
	before := maps.Clone(disk)

	s := &Store{}
	require.NoError(t, s.Open(t.Context(), disk))
	assert.True(t, s.Durable())
	due := s.Due(time.Date(2026, 11, 23, 11, 30, 0, 0, time.UTC))
	require.Len(t, due, 2)
	for _, it := range due {
		assert.Len(t, it.Payload, it.Size)
		assert.Contains(t, []string{"run-1", "run-2"}, it.Waits)
	}
	now := time.Date(2026, 11, 23, 10, 31, 0, 0, time.UTC)
	assert.Equal(t, Superseded, s.Add(t.Context(), &item.Item{Waits: "run-3"}, now))
	for n := range s.shards {
		require.NoError(t, s.save(t.Context(), n))
	}
	assert.Equal(t, before, disk, "the form has not changed")
	require.NoError(t, s.Remove(t.Context(), due))
	assert.Zero(t, s.Len())
	assert.Len(t, disk, 1)
}

func TestUnreadableRunsAreAnError(t *testing.T) {
	for _, stored := range []string{`{"version":99}`, `{`} {
		s := &Store{}
		require.ErrorContains(t, s.Open(t.Context(), mapClient{"runs-07": []byte(stored)}), "are damaged")
		assert.False(t, s.Durable())
	}
}
