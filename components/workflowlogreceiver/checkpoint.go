// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	checkpointKey     = "checkpoint"
	checkpointVersion = 1

	// seenLength is a run's key and the time it carries.
	seenLength = len(runKey{}) + 8

	startAfresh = "To start afresh at `start_at`, stop the collector and remove the receiver's file from the storage's directory"
)

// checkpoint is what is stored: the tail and the metrics, which must agree, in one value.
type checkpoint struct {
	Version  int             `json:"version"`
	Database string          `json:"database"`
	Start    time.Time       `json:"start"`
	Settled  source.Position `json:"settled"`
	Position source.Position `json:"position"`
	Seen     []byte          `json:"seen,omitempty"`
	Open     []openEntry     `json:"open,omitempty"`
	Metrics  metricsEntry    `json:"metrics"`
}

type openEntry struct {
	ID        string `json:"id"`
	CreatedAt int64  `json:"created_at"` // Unix time in microseconds
	Stuck     bool   `json:"stuck,omitempty"`
}

// loadCheckpoint reads the checkpoint. Without one both answers are nil: a first start. One that cannot be used is an
// error that says what to do, since to go on without it would lose runs or tell them twice.
func loadCheckpoint(ctx context.Context, client storage.Client, cfg *Config) (*tail, *runMetrics, error) {
	data, err := client.Get(ctx, checkpointKey)
	if err != nil {
		return nil, nil, fmt.Errorf("read the checkpoint from storage %q: %w", cfg.Storage, err)
	}
	if data == nil {
		return nil, nil, nil
	}
	stored, err := decodeCheckpoint(data, cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("the checkpoint in storage %q %w", cfg.Storage, err)
	}
	t, err := stored.tail(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("the checkpoint in storage %q %w", cfg.Storage, unreadable(err))
	}
	m, err := stored.Metrics.runMetrics(cfg.MaxApps)
	if err != nil {
		return nil, nil, fmt.Errorf("the checkpoint in storage %q %w", cfg.Storage, unreadable(err))
	}
	return t, m, nil
}

func unreadable(err error) error {
	return fmt.Errorf("cannot be read: %w. Restore it from a backup. %s", err, startAfresh)
}

func decodeCheckpoint(data []byte, cfg *Config) (*checkpoint, error) {
	var header struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return nil, unreadable(err)
	}
	switch {
	case header.Version > checkpointVersion:
		return nil, fmt.Errorf("is of format %d and this version reads up to %d: run the newer otelcol-dify that wrote it. %s",
			header.Version, checkpointVersion, startAfresh)
	case header.Version < 1:
		return nil, unreadable(fmt.Errorf("it has no valid version (%d)", header.Version))
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	stored := &checkpoint{}
	if err := decoder.Decode(stored); err != nil {
		return nil, unreadable(err)
	}
	if stored.Database != cfg.address() && stored.Database != cfg.AdoptCheckpoint {
		return nil, fmt.Errorf("is of database %s and this is %s: if it is the same database under another name, "+
			"set `adopt_checkpoint: %s`. %s", stored.Database, cfg.address(), stored.Database, startAfresh)
	}
	return stored, nil
}

func (c *checkpoint) tail(cfg *Config) (*tail, error) {
	if len(c.Seen)%seenLength != 0 {
		return nil, errors.New("the list of runs read is cut off")
	}
	t := emptyTail(cfg)
	t.start, t.settled, t.position = c.Start, c.Settled, c.Position
	for entry := range slices.Chunk(c.Seen, seenLength) {
		createdAt := binary.BigEndian.Uint64(entry[len(runKey{}):])
		t.seen[runKey(entry[:len(runKey{})])] = int64(createdAt) //nolint:gosec // written from an int64
	}
	for _, entry := range c.Open {
		t.open[entry.ID] = &openRun{createdAt: time.UnixMicro(entry.CreatedAt).UTC(), stuck: entry.Stuck}
	}
	return t, nil
}

func encodeCheckpoint(cfg *Config, t *tail, m *runMetrics) ([]byte, error) {
	seen := make([]byte, 0, len(t.seen)*seenLength)
	for key, createdAt := range t.seen {
		seen = append(seen, key[:]...)
		seen = binary.BigEndian.AppendUint64(seen, uint64(createdAt)) //nolint:gosec // read back as an int64
	}
	open := make([]openEntry, 0, len(t.open))
	for _, id := range slices.Sorted(maps.Keys(t.open)) {
		open = append(open, openEntry{ID: id, CreatedAt: t.open[id].createdAt.UnixMicro(), Stuck: t.open[id].stuck})
	}
	return json.Marshal(checkpoint{
		Version:  checkpointVersion,
		Database: cfg.address(),
		Start:    t.start,
		Settled:  t.settled,
		Position: t.position,
		Seen:     seen,
		Open:     open,
		Metrics:  m.entry(),
	})
}
