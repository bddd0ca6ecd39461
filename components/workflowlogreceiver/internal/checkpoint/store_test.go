// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/storagetest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

var (
	noon   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	limits = Limits{LookBack: 15 * time.Minute, OutcomeWait: time.Hour, MaxRunAge: 24 * time.Hour, MaxApps: 2000}
)

const address = "postgresql://localhost:5432/dify"

func clock(now time.Time) source.Clock { return source.Clock{UTC: now, Local: now} }

func newStore(client storage.Client) *Store { return NewStore(client, "file_storage", address, "") }

func TestRoundTrip(t *testing.T) {
	now := noon.Add(123456 * time.Microsecond)
	before := NewState(limits, clock(now), clock(now))
	odd := source.Run{Key: source.Key{ID: "not a uuid", CreatedAt: now}, Status: difysemconv.StatusRunning}
	stuck := source.Run{
		Key:    source.Key{ID: uuid.NewString(), CreatedAt: now.Add(-25 * time.Hour)},
		Status: difysemconv.StatusPaused,
	}
	future := source.Run{
		Key: source.Key{
			ID:        uuid.NewString(),
			CreatedAt: time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC),
		}, Status: difysemconv.StatusRunning,
	}
	rows := outcome.FromRuns([]source.Run{stuck, odd, future})
	stored := storagetest.NewMemory(nil)
	load := func(store *Store, state *State) {
		minutes := []tracker.Minute{tracker.MinuteOf(now), tracker.MinuteOf(future.CreatedAt)}
		require.NoError(t, store.LoadProcessed(t.Context(), Runs, state.Runs.Processed, minutes...))
	}
	store := newStore(stored)
	load(store, before)
	before.Runs.Apply(before.Runs.SortPage(rows, now))
	before.Metrics.AddRun(&outcome.Outcome{
		Run:   source.Run{AppID: "a", Status: "failed", ElapsedTime: 3},
		Usage: outcome.Usage{Total: 5, Prices: []outcome.Price{{Currency: "USD", Amount: 0.1}}},
	}, now)
	before.Metrics.AddUsage(&outcome.Outcome{
		Run: source.Run{
			AppID: "b",
		}, Usage: outcome.Usage{Input: 5, Output: 2, Model: outcome.Model{Name: "gpt", Provider: "openai"}},
	}, now)
	before.Metrics.AddMessage(&outcome.Outcome{
		Run: source.Run{AppID: "b", ElapsedTime: 2}, Message: &source.Message{Status: outcome.MessageError},
	}, now)
	saved, err := store.Save(t.Context(), before)
	require.NoError(t, err)
	require.True(t, saved)
	assert.Contains(t, string(stored.Value(headerKey)), `"version":3`)

	store = newStore(stored)
	after, err := store.Load(t.Context(), limits)
	require.NoError(t, err)
	load(store, after)
	assert.Equal(t, before, after)
	saved, err = store.Save(t.Context(), after)
	require.NoError(t, err)
	assert.False(t, saved, "nothing has changed")
}

// A format that an older version does not read is written only where it is needed.
func TestFormat(t *testing.T) {
	for name, test := range map[string]struct {
		local time.Time
		want  string
	}{
		"UTC":   {noon, `"version":1`},
		"local": {noon.Add(8 * time.Hour), `"version":2`},
	} {
		t.Run(name, func(t *testing.T) {
			stored := storagetest.NewMemory(nil)
			state := NewState(limits, source.Clock{UTC: noon, Local: test.local}, clock(noon))
			store := newStore(stored)
			_, err := store.Save(t.Context(), state)
			require.NoError(t, err)
			data, err := stored.Get(t.Context(), headerKey)
			require.NoError(t, err)
			assert.Contains(t, string(data), test.want)
			loaded, err := newStore(stored).Load(t.Context(), limits)
			require.NoError(t, err)
			assert.Equal(t, state.Start, loaded.Start)
		})
	}
}

// savedState returns a storage with a checkpoint in which one app has metrics.
func savedState(t *testing.T) *storagetest.Memory {
	t.Helper()
	stored, state := storagetest.NewMemory(nil), NewState(limits, clock(noon), clock(noon))
	state.Metrics.EnsureSeries(runmetrics.AppLabels{AppID: "a"}, "app-run", noon)
	_, err := newStore(stored).Save(t.Context(), state)
	require.NoError(t, err)
	return stored
}

func TestCheckpointThatCannotBeUsed(t *testing.T) {
	good := string(savedState(t).Value(headerKey))
	with := func(old, replacement string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, replacement, 1)
	}
	for name, test := range map[string]struct {
		stored string
		want   []string
	}{
		"torn": {
			good[:len(good)-7], []string{"cannot be read", "Restore it from a backup", "remove the receiver's file"},
		},
		"empty":      {"", []string{"cannot be read"}},
		"no version": {"{}", []string{"no valid version"}},
		"newer version": {
			with(`"version":1`, `"version":4`),
			[]string{"has format 4, and this version reads formats up to 3", "newer otelcol-dify"},
		},
		"unknown field":  {with(`"runs"`, `"walks"`), []string{"cannot be read"}},
		"a part missing": {with(`"apps":1`, `"apps":2`), []string{"its part app/1 is missing"}},
		"another database": {
			with("localhost", "elsewhere"),
			[]string{
				"belongs to database postgresql://elsewhere:5432/dify",
				"adopt_checkpoint: postgresql://elsewhere:5432/dify",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stored := savedState(t)
			require.NoError(t, stored.Set(t.Context(), headerKey, []byte(test.stored)))
			_, err := newStore(stored).Load(t.Context(), limits)
			require.ErrorContains(t, err, `the checkpoint in storage "file_storage"`)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			assert.Equal(t, test.stored, string(stored.Value(headerKey)))
		})
	}
}

func TestPartThatCannotBeUsed(t *testing.T) {
	for key, test := range map[string]struct{ stored, want string }{
		"app/0":         {`{"runs":[{"start":"2026-11-23T00:00:00Z","count":1,"buckets":[1]}]}`, "1 buckets instead of 15"},
		"runs/open":     {`[{"id"`, "its part runs/open"},
		"messages/open": {`{}`, "its part messages/open"},
		"census":        {`{"days": 1}`, "its part census"},
	} {
		t.Run(key, func(t *testing.T) {
			stored := savedState(t)
			require.NoError(t, stored.Set(t.Context(), key, []byte(test.stored)))
			_, err := newStore(stored).Load(t.Context(), limits)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "Restore it from a backup")
		})
	}
}

func TestAdopted(t *testing.T) {
	stored := savedState(t)
	adopted, err := NewStore(stored, "file_storage", "postgresql://new:5432/dify", address).Load(t.Context(), limits)
	require.NoError(t, err)
	assert.NotNil(t, adopted)
}

// brokenClient fails to read.
type brokenClient struct{ *storagetest.Memory }

func (brokenClient) Get(context.Context, string) ([]byte, error) {
	return nil, errors.New("disk error")
}

func TestStorageThatCannotBeRead(t *testing.T) {
	_, err := newStore(brokenClient{storagetest.NewMemory(nil)}).Load(t.Context(), limits)
	require.EqualError(t, err, `read the checkpoint from storage "file_storage": disk error`)
}

// At a high rate a save must not rewrite what has been written.
func TestSaveWritesWhatHasChanged(t *testing.T) {
	stored := storagetest.NewMemory(nil)
	store, state, minute := newStore(stored), NewState(limits, source.Clock{}, clock(noon)), tracker.MinuteOf(noon)
	process := func(runs int) {
		require.NoError(t, store.LoadProcessed(t.Context(), Runs, state.Runs.Processed, minute))
		for range runs {
			state.Runs.Apply(tracker.Batch{Processed: []source.Key{{ID: uuid.NewString(), CreatedAt: noon}}})
		}
		for app := range 100 {
			state.Metrics.EnsureSeries(runmetrics.AppLabels{AppID: strconv.Itoa(app)}, "app-run", noon)
		}
		_, err := store.Save(t.Context(), state)
		require.NoError(t, err)
	}
	process(50_000)
	assert.Less(t, stored.Written(), 50_000*17+200_000)
	process(1)
	assert.Less(t, stored.Written(), partLength*idLength+1000)

	store = newStore(stored)
	restored, err := store.Load(t.Context(), limits)
	require.NoError(t, err)
	require.NoError(t, store.LoadProcessed(t.Context(), Runs, restored.Runs.Processed, minute))
	assert.Equal(t, 50_001, restored.Runs.Processed.Count(minute))
	require.NoError(t, store.DropProcessed(t.Context(), Runs, restored.Runs.Processed, minute, minute+1))
	assert.Len(t, store.deletes, 50_001/partLength+1)
	_, err = store.Save(t.Context(), restored)
	require.NoError(t, err)
	assert.Empty(t, store.deletes)
	assert.Nil(t, stored.Value(processedKey(Runs, minute, 0)))
}
