// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// Save writes what has changed since it was saved last. It reports whether there was anything.
func (s *Store) Save(ctx context.Context, state *State) (bool, error) {
	operations, encoded, err := s.changes(state)
	if err != nil || len(operations) == 0 {
		return false, err
	}
	if err := s.client.Batch(ctx, operations...); err != nil {
		return false, err
	}
	s.header, s.deletes = encoded, nil
	state.saved()
	return true, nil
}

func (s *Store) changes(state *State) (operations []*storage.Operation, encoded []byte, err error) {
	parts := &parts{}
	parts.addOpen(Runs, state.Runs.Open)
	parts.addOpen(Messages, state.Messages.Open)
	for number, app := range state.Metrics.Changed() {
		parts.add(appKey(number), app)
	}
	if audit, changed := state.Audit.Snapshot(); changed {
		parts.add(auditKey, audit)
	}
	if state.Arrival.changed {
		parts.add(arrivalKey, state.Arrival.snapshot())
	}
	format, local := firstVersion, (*time.Time)(nil)
	if !state.Start.Local.Equal(state.Start.UTC) {
		format, local = localVersion, &state.Start.Local
	}
	if state.Metrics.HasMessages() || tracker.HasWaiting(state.Runs.Open) || tracker.HasWaiting(state.Messages.Open) {
		format = version
	}
	encoded, err = json.Marshal(header{
		Version:  format,
		Database: s.address,
		Start:    state.Start.UTC,
		Local:    local,
		Runs:     state.Runs.Snapshot(),
		Messages: state.Messages.Snapshot(),
		AppLogs:  state.AppLogs.AppLogsSnapshot,
		Apps:     state.Metrics.Len(),
	})
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(encoded, s.header) {
		parts.operations = append(parts.operations, storage.SetOperation(headerKey, encoded))
	}
	for kind, ids := range state.processed() {
		parts.addProcessed(kind, ids)
	}
	return append(parts.operations, s.deletes...), encoded, parts.err
}

// parts collects the values to write.
type parts struct {
	operations []*storage.Operation
	err        error
}

func (p *parts) add(key string, value any) {
	data, err := json.Marshal(value)
	p.err = errors.Join(p.err, err)
	p.operations = append(p.operations, storage.SetOperation(key, data))
}

func (p *parts) addOpen(kind Kind, open *tracker.OpenRuns) {
	for _, stuck := range []bool{false, true} {
		if open.Changed(stuck) {
			p.add(openKey(kind, stuck), open.Snapshot(stuck))
		}
	}
}
