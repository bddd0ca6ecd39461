// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
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
	before := newState(cfg, now, now)
	odd := source.Run{Key: source.Key{ID: "not a uuid", CreatedAt: now}, Status: difysemconv.StatusRunning}
	stuck := source.Run{Key: source.Key{ID: testApp, CreatedAt: now.Add(-25 * time.Hour)}, Status: difysemconv.StatusPaused}
	future := source.Run{Key: source.Key{ID: testUser, CreatedAt: time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC)}, Status: difysemconv.StatusRunning}
	rows := outcome.FromRuns([]source.Run{stuck, odd, future})
	stored := newMemory()
	require.NoError(t, before.runs.processed.load(t.Context(), stored, minuteOf(now), minuteOf(future.CreatedAt)))
	before.runs.apply(before.runs.sortPage(rows, now))
	before.metrics.AddRun(&outcome.Outcome{Run: source.Run{AppID: "a", Status: "failed", ElapsedTime: 3}, Usage: outcome.Usage{Total: 5, Prices: []outcome.Price{{Currency: "USD", Amount: 0.1}}}}, now)
	before.metrics.AddUsage(&outcome.Outcome{Run: source.Run{AppID: "b"}, Usage: outcome.Usage{Input: 5, Output: 2, Model: outcome.Model{Name: "gpt", Provider: "openai"}}}, now)
	saved, err := before.save(t.Context(), stored, cfg)
	require.NoError(t, err)
	require.True(t, saved)

	after, err := loadState(t.Context(), stored, cfg)
	require.NoError(t, err)
	require.NoError(t, after.runs.processed.load(t.Context(), stored, minuteOf(now), minuteOf(future.CreatedAt)))
	assert.Equal(t, before, after)
	saved, err = after.save(t.Context(), stored, cfg)
	require.NoError(t, err)
	assert.False(t, saved, "nothing has changed")
}

func TestCheckpointThatCannotBeUsed(t *testing.T) {
	whole := savedState(t, checkpointConfig())
	good := whole.checkpoint()
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
		"newer version":    {with(`"version":1`, `"version":2`), []string{"has format 2, and this version reads formats up to 1", "newer otelcol-dify"}},
		"unknown field":    {with(`"runs"`, `"walks"`), []string{"cannot be read"}},
		"a part missing":   {with(`"apps":1`, `"apps":2`), []string{"its part app/1 is missing"}},
		"another database": {with("localhost", "elsewhere"), []string{"belongs to database postgresql://elsewhere:5432/dify", "adopt_checkpoint: postgresql://elsewhere:5432/dify"}},
	} {
		t.Run(name, func(t *testing.T) {
			stored := savedState(t, checkpointConfig())
			require.NoError(t, stored.Set(t.Context(), checkpointKey, []byte(test.stored)))
			r := newHarness(t, checkpointConfig(), stored, &sink{})
			err := r.start(t.Context(), r.host)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			assert.Equal(t, 1, stored.closed)
			assert.Equal(t, test.stored, string(stored.checkpoint()))
		})
	}
}

func TestPartOfCheckpointThatCannotBeUsed(t *testing.T) {
	for key, test := range map[string]struct{ stored, want string }{
		"app/0":         {`{"runs":[{"start":"2026-11-23T00:00:00Z","count":1,"buckets":[1]}]}`, "1 buckets instead of 15"},
		"runs/open":     {`[{"id"`, "its part runs/open"},
		"messages/open": {`{}`, "its part messages/open"},
		"census":        {`{"days": 1}`, "its part census"},
	} {
		t.Run(key, func(t *testing.T) {
			stored := savedState(t, checkpointConfig())
			require.NoError(t, stored.Set(t.Context(), key, []byte(test.stored)))
			r := newHarness(t, checkpointConfig(), stored, &sink{})
			err := r.start(t.Context(), r.host)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "Restore it from a backup")
		})
	}
}

// savedState returns a storage with a checkpoint in which one app has metrics.
func savedState(t *testing.T, cfg *Config) *memory {
	t.Helper()
	stored, s := newMemory(), newState(cfg, noon, noon)
	s.metrics.EnsureSeries(runmetrics.AppLabels{AppID: "a"}, "app-run", noon)
	_, err := s.save(t.Context(), stored, cfg)
	require.NoError(t, err)
	return stored
}

func TestCheckpointAdopted(t *testing.T) {
	old := checkpointConfig()
	old.Host = "old"
	stored := savedState(t, old)
	cfg := checkpointConfig()
	cfg.AdoptCheckpoint = "postgresql://old:5432/dify"
	adopted, err := loadState(t.Context(), stored, cfg)
	require.NoError(t, err)
	assert.NotNil(t, adopted)
}

// brokenStorage fails to read.
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
			r := newHarness(t, checkpointConfig(), test.extension, &sink{})
			require.ErrorContains(t, r.start(t.Context(), r.host), test.want)
		})
	}
	r := newHarness(t, checkpointConfig(), nil, &sink{})
	require.ErrorContains(t, r.start(t.Context(), componenttest.NewNopHost()), `there is no extension "file_storage/checkpoint"`)
}

// At a high rate a save must not rewrite what has been written.
func TestSaveWritesWhatHasChanged(t *testing.T) {
	cfg, stored := checkpointConfig(), newMemory()
	s := newState(cfg, time.Time{}, noon)
	take := func(runs int) {
		for range runs {
			key := source.Key{ID: uuid.NewString(), CreatedAt: noon}
			require.NoError(t, s.runs.processed.load(t.Context(), stored, minuteOf(noon)))
			s.runs.apply(batch{processed: []source.Key{key}})
		}
		for app := range 100 {
			s.metrics.EnsureSeries(runmetrics.AppLabels{AppID: strconv.Itoa(app)}, "app-run", noon)
		}
		_, err := s.save(t.Context(), stored, cfg)
		require.NoError(t, err)
	}
	take(50_000)
	assert.Less(t, stored.written, 50_000*17+200_000)
	stored.written = 0
	take(1)
	assert.Less(t, stored.written, partLength*len(idKey{})+1000)

	restored, err := loadState(t.Context(), stored, cfg)
	require.NoError(t, err)
	require.NoError(t, restored.runs.processed.load(t.Context(), stored, minuteOf(noon)))
	assert.Equal(t, 50_001, restored.runs.processed.count(minuteOf(noon)))
	operations, err := restored.runs.processed.drop(t.Context(), stored, minuteOf(noon), minuteOf(noon)+1)
	require.NoError(t, err)
	assert.Len(t, operations, 50_001/partLength+1)
}

// Memory is bounded; knowledge is not.
func TestProcessedIDsForgetNothing(t *testing.T) {
	stored, l := newMemory(), newProcessedIDs(runsName)
	var keys []source.Key
	for i := range maxIDsInMemory + maxIDsInMemory/4 {
		key := source.Key{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), CreatedAt: noon.Add(time.Duration(i/10_000) * time.Minute)}
		require.NoError(t, l.load(t.Context(), stored, minuteOf(key.CreatedAt)))
		require.False(t, l.has(key))
		l.add(key)
		keys = append(keys, key)
		if i%10_000 == 0 {
			require.NoError(t, stored.Batch(t.Context(), l.changes()...))
			l.saved()
		}
	}
	require.NoError(t, stored.Batch(t.Context(), l.changes()...))
	l.saved()
	assert.LessOrEqual(t, l.keys, maxIDsInMemory)
	for _, key := range keys {
		require.NoError(t, l.load(t.Context(), stored, minuteOf(key.CreatedAt)))
		require.True(t, l.has(key))
	}
}
