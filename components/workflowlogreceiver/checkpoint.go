// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	checkpointKey     = "checkpoint"
	checkpointVersion = 1

	runsName     = "runs"
	messagesName = "messages"
	auditKey     = "census"

	startOver = "To start over at `start_at`, stop the collector and remove the receiver's file from the storage's directory"
)

// state is all that outlives the process: what has been told, and what was counted of it. It is saved as a whole, so
// that one never says more than the other, and in parts, of which only those that have changed are written.
type state struct {
	start    time.Time
	runs     *tail
	messages *tail
	appLogs  *appLogs
	audit    *audit
	metrics  *runmetrics.Metrics

	header  []byte               // as it was saved last
	dropped []*storage.Operation // parts of ledgers that are no longer needed
}

// checkpoint is the part that changes each time.
type checkpoint struct {
	Version  int          `json:"version"`
	Database string       `json:"database"`
	Start    time.Time    `json:"start"`
	Runs     tailEntry    `json:"runs"`
	Messages tailEntry    `json:"messages"`
	AppLogs  appLogsState `json:"app_logs"`
	Apps     int          `json:"apps"` // how many have metrics
}

type tailEntry struct {
	Floor    time.Time       `json:"floor"`
	Position source.Position `json:"position"`
}

type openEntry struct {
	ID        string `json:"id"`
	CreatedAt int64  `json:"created_at"` // Unix time in microseconds
}

func newState(cfg *Config, start, now time.Time) *state {
	return &state{
		start:    start,
		runs:     newTail(runsName, cfg, start, now),
		messages: newTail(messagesName, messagesConfig(cfg), start, now),
		appLogs:  newAppLogs(cfg, start),
		audit:    &audit{},
		metrics:  runmetrics.New(cfg.MaxApps),
	}
}

// messagesConfig is the same for messages: one that has no answer after outcome_wait never gets one.
func messagesConfig(cfg *Config) *Config {
	c := *cfg
	c.MaxRunAge = max(cfg.OutcomeWait, 2*cfg.LookBack)
	return &c
}

// loadState reads the checkpoint. Without one the answer is nil: a first start. One that cannot be used is an error
// that says what to do, since to go on without it would lose runs or tell them twice.
func loadState(ctx context.Context, client storage.Client, cfg *Config) (*state, error) {
	data, err := client.Get(ctx, checkpointKey)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint from storage %q: %w", cfg.Storage, err)
	}
	if data == nil {
		return nil, nil
	}
	stored, err := decodeCheckpoint(data, cfg)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint in storage %q %w", cfg.Storage, err)
	}
	s := stored.state(cfg)
	s.header = data
	if err := s.loadParts(ctx, client, stored.Apps); err != nil {
		return nil, fmt.Errorf("the checkpoint in storage %q %w", cfg.Storage, unreadable(err))
	}
	return s, nil
}

func unreadable(err error) error {
	return fmt.Errorf("cannot be read: %w. Restore it from a backup. %s", err, startOver)
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
		return nil, fmt.Errorf("has format %d, and this version reads formats up to %d: run the newer otelcol-dify that wrote it. %s",
			header.Version, checkpointVersion, startOver)
	case header.Version < 1:
		return nil, unreadable(fmt.Errorf("it has no valid version (%d)", header.Version))
	}
	stored := &checkpoint{}
	if err := decodeStrictly(data, stored); err != nil {
		return nil, unreadable(err)
	}
	if stored.Database != cfg.address() && stored.Database != cfg.AdoptCheckpoint {
		return nil, fmt.Errorf("belongs to database %s, and this is %s: if they are the same database under two names, "+
			"set `adopt_checkpoint: %s`. %s", stored.Database, cfg.address(), stored.Database, startOver)
	}
	return stored, nil
}

func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func (c *checkpoint) state(cfg *Config) *state {
	s := newState(cfg, c.Start, c.Start)
	s.runs.floor, s.runs.position = c.Runs.Floor, c.Runs.Position
	s.messages.floor, s.messages.position = c.Messages.Floor, c.Messages.Position
	s.appLogs.appLogsState = c.AppLogs
	return s
}

// loadParts reads what does not stand in the header. A missing part is an error where the header promises it.
func (s *state) loadParts(ctx context.Context, client storage.Client, apps int) error {
	for number := range apps {
		var e runmetrics.App
		if err := loadPart(ctx, client, appKey(number), true, &e); err != nil {
			return err
		}
		if err := s.metrics.Restore(e); err != nil {
			return err
		}
	}
	return errors.Join(
		s.runs.loadOpen(ctx, client),
		s.messages.loadOpen(ctx, client),
		loadPart(ctx, client, auditKey, false, s.audit),
	)
}

func loadPart(ctx context.Context, client storage.Client, key string, required bool, into any) error {
	data, err := client.Get(ctx, key)
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

func appKey(number int) string { return "app/" + strconv.Itoa(number) }

func (t *tail) openKey(stuck bool) string {
	if stuck {
		return t.processed.name + "/stuck"
	}
	return t.processed.name + "/open"
}

func (t *tail) loadOpen(ctx context.Context, client storage.Client) error {
	for _, stuck := range []bool{false, true} {
		var entries []openEntry
		if err := loadPart(ctx, client, t.openKey(stuck), false, &entries); err != nil {
			return err
		}
		for _, entry := range entries {
			t.open[entry.ID] = &openRun{createdAt: time.UnixMicro(entry.CreatedAt).UTC(), stuck: stuck}
		}
	}
	return nil
}

// save writes what has changed since it was saved last. It reports whether there was anything.
func (s *state) save(ctx context.Context, client storage.Client, cfg *Config) (bool, error) {
	operations, header, err := s.changes(cfg)
	if err != nil || len(operations) == 0 {
		return false, err
	}
	if err := client.Batch(ctx, operations...); err != nil {
		return false, err
	}
	s.saved(header)
	return true, nil
}

func (s *state) changes(cfg *Config) ([]*storage.Operation, []byte, error) {
	parts := &parts{}
	for _, t := range []*tail{s.runs, s.messages} {
		if t.openChanged {
			parts.add(t.openKey(false), t.openEntries(false))
		}
		if t.stuckChanged {
			parts.add(t.openKey(true), t.openEntries(true))
		}
	}
	for number, app := range s.metrics.Changed() {
		parts.add(appKey(number), app)
	}
	if s.audit.changed {
		parts.add(auditKey, s.audit)
	}
	header, err := json.Marshal(checkpoint{
		Version:  checkpointVersion,
		Database: cfg.address(),
		Start:    s.start,
		Runs:     tailEntry{s.runs.floor, s.runs.position},
		Messages: tailEntry{s.messages.floor, s.messages.position},
		AppLogs:  s.appLogs.appLogsState,
		Apps:     s.metrics.Len(),
	})
	if err != nil {
		return nil, nil, err
	}
	operations := parts.operations
	if !bytes.Equal(header, s.header) {
		operations = append(operations, storage.SetOperation(checkpointKey, header))
	}
	for _, l := range s.allProcessedIDs() {
		operations = append(operations, l.changes()...)
	}
	return append(operations, s.dropped...), header, parts.err
}

func (s *state) allProcessedIDs() []*processedIDs {
	return []*processedIDs{s.runs.processed, s.messages.processed, s.appLogs.processed}
}

func (s *state) saved(header []byte) {
	for _, t := range []*tail{s.runs, s.messages} {
		t.openChanged, t.stuckChanged = false, false
	}
	s.metrics.Saved()
	for _, l := range s.allProcessedIDs() {
		l.saved()
	}
	s.audit.changed = false
	s.header, s.dropped = header, nil
}

func (t *tail) openEntries(stuck bool) []openEntry {
	entries := []openEntry{}
	for _, id := range slices.Sorted(maps.Keys(t.open)) {
		if run := t.open[id]; run.stuck == stuck {
			entries = append(entries, openEntry{ID: id, CreatedAt: run.createdAt.UnixMicro()})
		}
	}
	return entries
}

// parts gathers values to be written.
type parts struct {
	operations []*storage.Operation
	err        error
}

func (p *parts) add(key string, value any) {
	data, err := json.Marshal(value)
	p.err = errors.Join(p.err, err)
	p.operations = append(p.operations, storage.SetOperation(key, data))
}
