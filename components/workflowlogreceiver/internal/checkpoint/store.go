// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package checkpoint stores what survives the process in a storage extension.
package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// startOver ends errors that leave the operator no other way.
const startOver = "To start over at `start_at`, stop the collector and remove the receiver's file from the " +
	"storage's directory"

// Store reads and writes a State. It is not safe for concurrent use.
//
// The state is stored in parts, of which a save writes only those that have changed: a header with the positions, the
// open runs, the processed IDs, the audit, and the counters of each app. These invariants hold:
//   - A save is one Batch of the storage, which applies all of it or none. The positions, the processed IDs and the
//     counters in the storage therefore always belong together.
//   - A part of the processed IDs is deleted in the same Batch that stores the floor above it.
//   - The header has the number of apps. A part that it promises and that is missing makes the checkpoint unusable.
//   - An unusable checkpoint is an error and is not overwritten.
//
// In this order a batch of rows becomes durable, and this is what a crash costs after each step:
//
//  1. The pipeline accepts the records. After a crash they are delivered again, with the same UIDs.
//  2. The trackers and the counters change in memory. After a crash the same.
//  3. Save writes the Batch. After a crash nothing is repeated.
//  4. The counters are published. They never contain what is not stored, so no counter decreases after a crash.
//
// While the storage fails, step 3 is retried and nothing more is read: at most the records since the last save, which
// is half a second of a backlog, are repeated.
type Store struct {
	client    storage.Client
	storageID string // for errors
	address   string
	adopted   string

	header  []byte               // as it was saved last
	deletes []*storage.Operation // parts of processed IDs that the next save deletes
}

// NewStore returns a Store for the database with that address. It also reads a checkpoint of the adopted address.
func NewStore(client storage.Client, storageID, address, adopted string) *Store {
	return &Store{client: client, storageID: storageID, address: address, adopted: adopted}
}

// Load reads the checkpoint. Without one it returns nil: a first start. A checkpoint that cannot be used is an error
// that says what to do, since continuing without it would lose or repeat runs.
func (s *Store) Load(ctx context.Context, limits Limits) (*State, error) {
	data, err := s.client.Get(ctx, headerKey)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint from storage %q: %w", s.storageID, err)
	}
	if data == nil {
		return nil, nil
	}
	stored, err := s.decode(data)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint in storage %q %w", s.storageID, err)
	}
	state := stored.state(limits)
	if err := s.loadParts(ctx, state, stored.Apps); err != nil {
		return nil, fmt.Errorf("the checkpoint in storage %q %w", s.storageID, unreadable(err))
	}
	s.header = data
	return state, nil
}

func unreadable(err error) error {
	return fmt.Errorf("cannot be read: %w. Restore it from a backup. %s", err, startOver)
}

func (s *Store) decode(data []byte) (*header, error) {
	var format struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &format); err != nil {
		return nil, unreadable(err)
	}
	switch {
	case format.Version > version:
		return nil, fmt.Errorf(
			"has format %d, and this version reads formats up to %d: run the newer otelcol-dify that wrote it. %s",
			format.Version, version, startOver,
		)
	case format.Version < 1:
		return nil, unreadable(fmt.Errorf("it has no valid version (%d)", format.Version))
	}
	stored := &header{}
	if err := decodeStrictly(data, stored); err != nil {
		return nil, unreadable(err)
	}
	if stored.Database != s.address && stored.Database != s.adopted {
		return nil, fmt.Errorf("belongs to database %s, and this is %s: if they are the same database under two names, "+
			"set `adopt_checkpoint: %s`. %s", stored.Database, s.address, stored.Database, startOver)
	}
	return stored, nil
}

func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// header is the part that changes each time. Its JSON names are names on disk.
type header struct {
	Version  int                     `json:"version"`
	Database string                  `json:"database"`
	Start    time.Time               `json:"start"`
	Local    *time.Time              `json:"start_local,omitempty"` // if it differs; since format 2
	Runs     tracker.TailSnapshot    `json:"runs"`
	Messages tracker.TailSnapshot    `json:"messages"`
	AppLogs  tracker.AppLogsSnapshot `json:"app_logs"`
	Apps     int                     `json:"apps"` // how many have metrics
}

func (h *header) state(limits Limits) *State {
	start := source.Clock{UTC: h.Start, Local: h.Start}
	if h.Local != nil {
		start.Local = *h.Local
	}
	state := NewState(limits, start, start)
	state.Runs.Restore(h.Runs)
	state.Messages.Restore(h.Messages)
	state.AppLogs.AppLogsSnapshot = h.AppLogs
	return state
}

// loadParts reads what is not in the header. A missing part is an error if the header promises it.
func (s *Store) loadParts(ctx context.Context, state *State, apps int) error {
	for number := range apps {
		var app runmetrics.App
		if err := s.loadPart(ctx, appKey(number), true, &app); err != nil {
			return err
		}
		if err := state.Metrics.Restore(app); err != nil {
			return err
		}
	}
	var audit tracker.AuditSnapshot
	if err := s.loadPart(ctx, auditKey, false, &audit); err != nil {
		return err
	}
	state.Audit.Restore(audit)
	var arrival arrivalSnapshot
	if err := s.loadPart(ctx, arrivalKey, false, &arrival); err != nil {
		return err
	}
	state.Arrival.restore(arrival)
	return errors.Join(s.loadOpen(ctx, Runs, state.Runs.Open), s.loadOpen(ctx, Messages, state.Messages.Open))
}

func (s *Store) loadOpen(ctx context.Context, kind Kind, open *tracker.OpenRuns) error {
	for _, stuck := range []bool{false, true} {
		var entries []tracker.OpenRun
		if err := s.loadPart(ctx, openKey(kind, stuck), false, &entries); err != nil {
			return err
		}
		open.Restore(stuck, entries)
	}
	return nil
}

func (s *Store) loadPart(ctx context.Context, key string, required bool, into any) error {
	data, err := s.client.Get(ctx, key)
	switch {
	case err != nil:
		return err
	case data == nil && required:
		return fmt.Errorf("its part %s is missing", key)
	case data == nil:
		return nil
	}
	if err := decodeStrictly(data, into); err != nil {
		return fmt.Errorf("its part %s: %w", key, err)
	}
	return nil
}
