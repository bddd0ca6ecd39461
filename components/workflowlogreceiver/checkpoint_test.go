// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func checkpointConfig() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Storage = &storageID
	return cfg
}

func TestCheckpointRoundTrip(t *testing.T) {
	cfg := checkpointConfig()
	now := time.Date(2026, 11, 23, 9, 0, 0, 123456000, time.UTC)
	before, counters := newTail(cfg, now), newRunMetrics(cfg.MaxApps)
	odd := source.Run{Key: source.Key{ID: "not a uuid", CreatedAt: now}, Status: difysemconv.StatusRunning}
	stuck := source.Run{Key: source.Key{ID: testApp, CreatedAt: now.Add(-25 * time.Hour)}, Status: difysemconv.StatusPaused}
	future := source.Run{Key: source.Key{ID: testUser, CreatedAt: time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC)}, Status: difysemconv.StatusRunning}
	before.apply(before.walked([]source.Run{stuck, odd, future}, now))
	before.open[stuck.ID].visited = time.Time{}
	counters.count(outcome{Run: source.Run{AppID: "a", Status: "failed", ElapsedTime: 3}, usage: usage{tokens: 5, prices: map[string]float64{"USD": 0.1}}}, now)

	stored := newMemory()
	data, err := encodeCheckpoint(cfg, before, counters)
	require.NoError(t, err)
	require.NoError(t, stored.Set(t.Context(), checkpointKey, data))
	after, metrics, err := loadCheckpoint(t.Context(), stored, cfg)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	assert.Equal(t, counters, metrics)
}

func TestCheckpointThatCannotBeUsed(t *testing.T) {
	good, err := encodeCheckpoint(checkpointConfig(), newTail(checkpointConfig(), time.Now()), newRunMetrics(1))
	require.NoError(t, err)
	with := func(old, replacement string) string {
		require.Contains(t, string(good), old)
		return strings.Replace(string(good), old, replacement, 1)
	}
	for name, test := range map[string]struct {
		stored string
		want   []string
	}{
		"torn":             {string(good[:len(good)-7]), []string{"cannot be read", "Restore it from a backup", "remove the receiver's file"}},
		"empty":            {"", []string{"cannot be read"}},
		"no version":       {"{}", []string{"no valid version"}},
		"newer version":    {with(`"version":1`, `"version":2`), []string{"is of format 2 and this version reads up to 1", "newer otelcol-dify"}},
		"unknown field":    {with(`"settled"`, `"unsettled"`), []string{"cannot be read"}},
		"seen cut off":     {with(`"metrics"`, `"seen":"AAAA","metrics"`), []string{"list of runs read is cut off"}},
		"other histogram":  {with(`"metrics":{}`, `"metrics":{"runs":[{"app":{},"start":"2026-11-23T00:00:00Z","count":1,"buckets":[1]}]}`), []string{"1 buckets instead of 15"}},
		"another database": {with("localhost", "elsewhere"), []string{"is of database postgresql://elsewhere:5432/dify", "adopt_checkpoint: postgresql://elsewhere:5432/dify"}},
	} {
		t.Run(name, func(t *testing.T) {
			stored := newMemory()
			require.NoError(t, stored.Set(t.Context(), checkpointKey, []byte(test.stored)))
			r := newRig(t, checkpointConfig(), stored, &sink{})
			err := r.start(t.Context(), r.host)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			assert.Equal(t, 1, stored.closed)
			assert.Equal(t, test.stored, string(stored.checkpoint()))
		})
	}
}

func TestCheckpointAdopted(t *testing.T) {
	old := checkpointConfig()
	old.Host = "old"
	data, err := encodeCheckpoint(old, newTail(old, time.Now()), newRunMetrics(1))
	require.NoError(t, err)
	stored := newMemory()
	require.NoError(t, stored.Set(t.Context(), checkpointKey, data))
	cfg := checkpointConfig()
	cfg.AdoptCheckpoint = "postgresql://old:5432/dify"
	adopted, _, err := loadCheckpoint(t.Context(), stored, cfg)
	require.NoError(t, err)
	assert.NotNil(t, adopted)
}

// brokenStorage cannot be read.
type brokenStorage struct{ *memory }

func (b brokenStorage) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return b, nil
}

func (brokenStorage) Get(context.Context, string) ([]byte, error) {
	return nil, errors.New("disk error")
}

func TestStorageThatCannotBeUsed(t *testing.T) {
	for name, test := range map[string]struct {
		extension component.Component
		want      string
	}{
		"cannot be read":   {brokenStorage{newMemory()}, `read the checkpoint from storage "file_storage/checkpoint": disk error`},
		"is not a storage": {struct{ component.Component }{}, `the extension "file_storage/checkpoint" is not a storage extension`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, checkpointConfig(), test.extension, &sink{})
			require.ErrorContains(t, r.start(t.Context(), r.host), test.want)
		})
	}
	r := newRig(t, checkpointConfig(), nil, &sink{})
	require.ErrorContains(t, r.start(t.Context(), componenttest.NewNopHost()), `there is no extension "file_storage/checkpoint"`)
}
