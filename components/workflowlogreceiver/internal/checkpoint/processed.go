// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

const (
	idLength = len(tracker.ID{})
	// partLength is the number of IDs in one value of the storage: as many as are rewritten when one is added.
	partLength = 1024
)

// LoadProcessed loads the processed IDs of those of the minutes that are not in memory.
func (s *Store) LoadProcessed(
	ctx context.Context, kind Kind, ids *tracker.ProcessedIDs, minutes ...tracker.Minute,
) error {
	for _, m := range ids.Missing(minutes...) {
		stored, err := s.readProcessed(ctx, kind, m)
		if err != nil {
			return err
		}
		ids.Load(m, stored)
	}
	return nil
}

// DropProcessed removes the processed IDs of the minutes from one up to another from memory, and from the storage with
// the next save.
func (s *Store) DropProcessed(
	ctx context.Context, kind Kind, ids *tracker.ProcessedIDs, from, to tracker.Minute,
) error {
	var deletes []*storage.Operation
	for m := from; m < to; m++ {
		stored, err := s.readProcessed(ctx, kind, m)
		if err != nil {
			return err
		}
		for part := 0; part*partLength < len(stored); part++ {
			deletes = append(deletes, storage.DeleteOperation(processedKey(kind, m, part)))
		}
		ids.Forget(m)
	}
	s.deletes = append(s.deletes, deletes...)
	return nil
}

func (s *Store) readProcessed(ctx context.Context, kind Kind, m tracker.Minute) ([]tracker.ID, error) {
	var ids []tracker.ID
	for part := 0; ; part++ {
		key := processedKey(kind, m, part)
		data, err := s.client.Get(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("read the checkpoint: %w", err)
		}
		if len(data)%idLength != 0 {
			return nil, fmt.Errorf("the checkpoint cannot be read: the list %s is truncated", key)
		}
		for id := range slices.Chunk(data, idLength) {
			ids = append(ids, tracker.ID(id))
		}
		if len(data) < partLength*idLength {
			return ids, nil
		}
	}
}

func (p *parts) addProcessed(kind Kind, ids *tracker.ProcessedIDs) {
	for _, part := range ids.Changes(partLength) {
		data := make([]byte, 0, len(part.IDs)*idLength)
		for _, id := range part.IDs {
			data = append(data, id[:]...)
		}
		p.operations = append(p.operations, storage.SetOperation(processedKey(kind, part.Minute, part.Number), data))
	}
}
