// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"crypto/sha1" //nolint:gosec // a name for an odd id, nothing secret
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	sliceWidth = time.Minute
	// partLength is the number of keys in one value of the storage: as much as is written again for one more key.
	partLength = 1024
	// ledgerLimit is the number of keys kept in memory, from which the oldest go; they are read again when asked for.
	maxIDsInMemory = 200_000
)

// runKey is an id in 16 bytes.
type idKey [16]byte

func keyOf(id string) idKey {
	if parsed, err := uuid.Parse(id); err == nil {
		return idKey(parsed)
	}
	sum := sha1.Sum([]byte(id)) //nolint:gosec // see the import
	return idKey(sum[:16])
}

// ledger remembers which rows have been taken, by the minute of the time they carry. It stands in the storage, in parts
// of which only the last one of a minute ever changes; in memory is what was needed last.
type processedIDs struct {
	name   string
	slices map[minute]*slice
	keys   int // in slices
}

// minute counts from 1970.
type minute int64

func minuteOf(t time.Time) minute {
	seconds, width := t.Unix(), int64(sliceWidth/time.Second)
	if seconds < 0 {
		seconds -= width - 1
	}
	return minute(seconds / width)
}

func (m minute) time() time.Time { return time.Unix(int64(m)*int64(sliceWidth/time.Second), 0).UTC() }

// slice is one minute: its keys in the order in which they came, as they are stored, and to be found.
type slice struct {
	order  []idKey
	known  map[idKey]struct{}
	stored int
}

func newProcessedIDs(name string) *processedIDs {
	return &processedIDs{name: name, slices: map[minute]*slice{}}
}

// load makes sure that the minutes of the given rows are in memory. It comes before has and add.
func (l *processedIDs) load(ctx context.Context, client storage.Client, minutes ...minute) error {
	for _, m := range minutes {
		if l.slices[m] != nil {
			continue
		}
		keys, err := l.read(ctx, client, m)
		if err != nil {
			return err
		}
		s := &slice{order: keys, known: make(map[idKey]struct{}, len(keys)), stored: len(keys)}
		for _, key := range keys {
			s.known[key] = struct{}{}
		}
		l.slices[m] = s
		l.keys += len(keys)
	}
	return nil
}

func (l *processedIDs) read(ctx context.Context, client storage.Client, m minute) ([]idKey, error) {
	var keys []idKey
	for part := 0; ; part++ {
		data, err := client.Get(ctx, l.partKey(m, part))
		if err != nil {
			return nil, fmt.Errorf("read the checkpoint: %w", err)
		}
		if len(data)%len(idKey{}) != 0 {
			return nil, fmt.Errorf("the checkpoint cannot be read: the list %s is truncated", l.partKey(m, part))
		}
		for entry := range slices.Chunk(data, len(idKey{})) {
			keys = append(keys, idKey(entry))
		}
		if len(data) < partLength*len(idKey{}) {
			return keys, nil
		}
	}
}

func (l *processedIDs) partKey(m minute, part int) string {
	return l.name + "/" + strconv.FormatInt(int64(m), 10) + "/" + strconv.Itoa(part)
}

func (l *processedIDs) has(key source.Key) bool {
	s := l.slices[minuteOf(key.CreatedAt)]
	if s == nil {
		return false
	}
	_, ok := s.known[keyOf(key.ID)]
	return ok
}

func (l *processedIDs) add(key source.Key) {
	s := l.slices[minuteOf(key.CreatedAt)]
	k := keyOf(key.ID)
	if _, ok := s.known[k]; ok {
		return
	}
	s.known[k] = struct{}{}
	s.order = append(s.order, k)
	l.keys++
}

// count is how many keys of a minute there are, as far as is known.
func (l *processedIDs) count(m minute) int {
	if s := l.slices[m]; s != nil {
		return len(s.order)
	}
	return 0
}

// changes are what has to be written to the storage.
func (l *processedIDs) changes() []*storage.Operation {
	var operations []*storage.Operation
	for m, s := range l.slices {
		for part := s.stored / partLength; part*partLength < len(s.order) && s.stored < len(s.order); part++ {
			keys := s.order[part*partLength : min((part+1)*partLength, len(s.order))]
			data := make([]byte, 0, len(keys)*len(idKey{}))
			for _, key := range keys {
				data = append(data, key[:]...)
			}
			operations = append(operations, storage.SetOperation(l.partKey(m, part), data))
		}
	}
	return operations
}

// saved notes that all changes have been written, and then holds the memory to its limit.
func (l *processedIDs) saved() {
	for _, s := range l.slices {
		s.stored = len(s.order)
	}
	if l.keys <= maxIDsInMemory {
		return
	}
	for _, m := range slices.Sorted(maps.Keys(l.slices)) {
		if l.keys <= maxIDsInMemory/2 {
			return
		}
		l.forget(m)
	}
}

func (l *processedIDs) forget(m minute) {
	if s := l.slices[m]; s != nil {
		l.keys -= len(s.order)
		delete(l.slices, m)
	}
}

// drop forgets the minutes from one up to another for good. It answers what has to be written.
func (l *processedIDs) drop(ctx context.Context, client storage.Client, from, to minute) ([]*storage.Operation, error) {
	var operations []*storage.Operation
	for m := from; m < to; m++ {
		keys, err := l.read(ctx, client, m)
		if err != nil {
			return nil, err
		}
		for part := 0; part*partLength < len(keys); part++ {
			operations = append(operations, storage.DeleteOperation(l.partKey(m, part)))
		}
		l.forget(m)
	}
	return operations, nil
}

// minutesOf are the minutes of some rows, each once where they are in order.
func minutesOf[T any](rows []T, createdAt func(*T) time.Time) []minute {
	var minutes []minute
	for i := range rows {
		if m := minuteOf(createdAt(&rows[i])); len(minutes) == 0 || minutes[len(minutes)-1] != m {
			minutes = append(minutes, m)
		}
	}
	return minutes
}
