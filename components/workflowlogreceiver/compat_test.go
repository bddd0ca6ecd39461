// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/checkpoint"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/storagetest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// oldCheckpoint holds all keys and values of a storage that version 0.1 wrote, as JSON: values are in base64. It must
// never be written by a newer version: it proves that names on disk have not changed.
const oldCheckpoint = "checkpoint_v1.json"

// fixtureDatabase is what the database showed when the fixture was written.
func fixtureDatabase() *fakeDatabase {
	run := func(id, status string, createdAt time.Time) source.Run {
		r := source.Run{
			Key: source.Key{
				ID:        id,
				CreatedAt: createdAt,
			}, AppID: "app", TenantID: "tenant", TriggeredFrom: "app-run", Status: status,
			TotalTokens: 7, ElapsedTime: 2,
		}
		if outcome.HasEnded(&r) {
			r.FinishedAt = createdAt.Add(2 * time.Second)
		}
		return r
	}
	return &fakeDatabase{now: noon, runs: []source.Run{
		run("00000000-0000-4000-8000-000000000001", difysemconv.StatusSucceeded, noon.Add(-50*time.Hour)),
		run("00000000-0000-4000-8000-000000000002", difysemconv.StatusRunning, noon.Add(-25*time.Hour)),
		run("00000000-0000-4000-8000-000000000003", difysemconv.StatusFailed, noon.Add(-10*time.Hour)),
		run("not a uuid", difysemconv.StatusStopped, noon.Add(-time.Minute)),
		run("00000000-0000-4000-8000-000000000005", difysemconv.StatusRunning, noon.Add(-30*time.Second)),
		run("00000000-0000-4000-8000-000000000006", difysemconv.StatusPartialSucceeded, noon.Add(-time.Second)),
	}}
}

func fixtureConfig() *Config {
	cfg := checkpointConfig()
	cfg.StartAt = startAtBeginning
	return cfg
}

// pollerOn returns a poller that knows only what the storage holds.
func pollerOn(t *testing.T, cfg *Config, stored *storagetest.Memory, db *fakeDatabase, into *sink) *poller {
	t.Helper()
	set := receivertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	r, err := newReceiver(set, cfg, func() {})
	require.NoError(t, err)
	r.logs, r.metrics = into, into
	store := r.newStore(stored)
	state, err := store.Load(t.Context(), cfg.limits())
	require.NoError(t, err)
	p := r.newPoller(nil, store, state)
	require.NoError(t, p.inspect(t.Context(), db))
	require.NoError(t, p.begin(t.Context(), db))
	return p
}

// writeFixture saves a checkpoint with every kind of part.
func writeFixture(t *testing.T) *storagetest.Memory {
	t.Helper()
	stored, db := newMemory(), fixtureDatabase()
	p := pollerOn(t, fixtureConfig(), stored, db, &sink{})
	p.saver.state.Messages.Apply(
		tracker.Batch{Opened: []*outcome.Outcome{{Run: source.Run{Key: source.Key{ID: "message", CreatedAt: noon}}}}},
	)
	p.saver.state.Metrics.AddUsage(&outcome.Outcome{
		Run: source.Run{AppID: "chat", TriggeredFrom: "debugging"},
		Usage: outcome.Usage{
			Input: 5, Output: 2, Model: outcome.Model{Name: "gpt", Provider: "openai"},
			Prices: []outcome.Price{{Currency: "USD", Amount: 0.5}},
		},
	}, noon)
	appLogs := p.saver.state.AppLogs
	require.NoError(
		t, p.saver.store.LoadProcessed(t.Context(), checkpoint.AppLogs, appLogs.Processed, tracker.MinuteOf(noon)),
	)
	appLogs.Delivered([]source.AppLog{{Key: source.Key{ID: "00000000-0000-4000-8000-0000000000aa", CreatedAt: noon}}})
	require.NoError(t, p.poll(t.Context(), db, db.clock()))
	return stored
}

func openFixture(t *testing.T) *storagetest.Memory {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", oldCheckpoint))
	require.NoError(t, err)
	var values map[string][]byte
	require.NoError(t, json.Unmarshal(content, &values))
	return storagetest.NewMemory(values)
}

// A checkpoint that an older version wrote is continued: nothing is delivered twice, nothing is forgotten, and the
// counters go on.
func TestOldCheckpointIsContinued(t *testing.T) {
	stored, db, into := openFixture(t), fixtureDatabase(), &sink{}
	p := pollerOn(t, fixtureConfig(), stored, db, into)
	require.NoError(t, p.poll(t.Context(), db, db.clock()))
	assert.Empty(t, into.records, "all of it was delivered by the old version")

	for i := range db.runs { // the open ones end
		if db.runs[i].Status == difysemconv.StatusRunning {
			db.runs[i].Status, db.runs[i].FinishedAt = difysemconv.StatusFailed, noon
		}
	}
	db.now = noon.Add(time.Minute)
	require.NoError(t, p.poll(t.Context(), db, db.clock()))
	assert.ElementsMatch(t, []string{
		"00000000-0000-4000-8000-000000000002", "00000000-0000-4000-8000-000000000005",
	}, into.delivered(runEvent))
	md := built(p.saver.state.Metrics)
	assert.InDelta(t, 6, pdatatest.Counter(md, difysemconv.MetricRunTotal, nil), 0)
	assert.InDelta(t, 3, pdatatest.Counter(md, difysemconv.MetricRunFailure, nil), 0)
	assert.InDelta(t, 6*7+7, pdatatest.Counter(md, difysemconv.MetricTokenUsage, nil), 0)
	assert.InDelta(t, 0.5, pdatatest.Counter(md, difysemconv.MetricCost, nil), 0)
}

// The same history is stored today under the names, and with the values, that the old version wrote.
func TestNamesOnDisk(t *testing.T) {
	old, written := openFixture(t).Values(), writeFixture(t).Values()
	assert.JSONEq(t, `{"day":"`+time.Now().UTC().Format(time.DateOnly)+`"}`, string(written["arrival"]))
	delete(written, "arrival") // is new; the old version ignores it
	assert.ElementsMatch(t, slices.Collect(maps.Keys(old)), slices.Collect(maps.Keys(written)))
	for key, value := range written {
		if !json.Valid(value) { // processed IDs are binary
			assert.Equal(t, old[key], value, key)
			continue
		}
		want := decoded(t, old[key])
		if header, ok := want.(map[string]any); ok && header["messages"] != nil {
			// Since then messages are read an hour further back, for the hour in which clocks are set back.
			header["messages"].(map[string]any)["floor"] = "2026-11-23T10:00:00Z"
		}
		assert.Equal(t, want, decoded(t, value), key)
	}
}

// decoded is a JSON value in which the order of lists does not matter, since series are written in no particular
// order, nor does the time at which a series began.
func decoded(t *testing.T, data []byte) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(data, &value))
	return unordered(t, value)
}

func unordered(t *testing.T, value any) any {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			v[key] = unordered(t, member)
			if _, isTime := member.(string); isTime && key == "start" {
				v[key] = "a time"
			}
		}
		return v
	case []any:
		set := map[string]int{}
		for _, member := range v {
			text, err := json.Marshal(unordered(t, member))
			require.NoError(t, err)
			set[string(text)]++
		}
		return set
	default:
		return v
	}
}
