// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

const (
	storeVersion = 1
	storeIndex   = "index"
)

var errStoreClosed = errors.New("opensearch_bulk: the storage is closed")

// store keeps documents across restarts: each entry is the body of a bulk request, ready to be sent. Headers are never in it.
type store struct {
	client storage.Client

	mu     sync.Mutex
	index  storedIndex // guarded by mu
	closed bool        // guarded by mu
}

// storedIndex lists the entries, since a storage client can't.
type storedIndex struct {
	Version int           `json:"version"`
	Next    uint64        `json:"next"`
	Entries []storedEntry `json:"entries"`
}

type storedEntry struct {
	ID    uint64 `json:"id"`
	Items int64  `json:"items"`
	Bytes int64  `json:"bytes"`
}

func (e storedEntry) key() string { return "bulk/" + strconv.FormatUint(e.ID, 10) }

// openStore reads what an earlier run left. What it can't read is an error, not an empty store.
func openStore(ctx context.Context, client storage.Client) (*store, error) {
	raw, err := client.Get(ctx, storeIndex)
	if err != nil {
		return nil, fmt.Errorf("read the list of stored documents: %w", err)
	}
	s := &store{client: client, index: storedIndex{Version: storeVersion}}
	if raw == nil {
		return s, nil
	}
	if json.Unmarshal(raw, &s.index) != nil {
		return nil, errors.New("the list of stored documents can't be read: restore the storage, or move its file for this extension away to start without those documents")
	}
	if s.index.Version != storeVersion {
		return nil, fmt.Errorf("the stored documents were written by another version (format %d, this one reads %d): start that version until it has delivered them", s.index.Version, storeVersion)
	}
	return s, nil
}

// put writes items as one entry, all or nothing.
func (s *store) put(ctx context.Context, items []item) error {
	body := join(items)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errStoreClosed
	}
	entry := storedEntry{ID: s.index.Next, Items: int64(len(items)), Bytes: int64(len(body))}
	changed := s.index
	changed.Next++
	changed.Entries = append(slices.Clone(changed.Entries), entry)
	return s.apply(ctx, changed, storage.SetOperation(entry.key(), body))
}

// remove forgets an entry whose documents are delivered.
func (s *store) remove(ctx context.Context, entry storedEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errStoreClosed
	}
	changed := s.index
	changed.Entries = slices.DeleteFunc(slices.Clone(changed.Entries), func(e storedEntry) bool { return e.ID == entry.ID })
	return s.apply(ctx, changed, storage.DeleteOperation(entry.key()))
}

// apply writes an entry's change and the new list in one transaction. mu must be held.
func (s *store) apply(ctx context.Context, changed storedIndex, op *storage.Operation) error {
	raw, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	if err := s.client.Batch(ctx, op, storage.SetOperation(storeIndex, raw)); err != nil {
		return fmt.Errorf("write to storage: %w", err)
	}
	s.index = changed
	return nil
}

// load reads an entry's body.
func (s *store) load(ctx context.Context, entry storedEntry) ([]byte, error) {
	body, err := s.client.Get(ctx, entry.key())
	if err == nil && int64(len(body)) != entry.Bytes {
		err = errors.New("stored documents are incomplete")
	}
	return body, err
}

func (s *store) entries() []storedEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.index.Entries)
}

// size is what waits in storage.
func (s *store) size() (items, bytes int64) {
	for _, entry := range s.entries() {
		items += entry.Items
		bytes += entry.Bytes
	}
	return items, bytes
}

func (s *store) close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.client.Close(ctx)
}
