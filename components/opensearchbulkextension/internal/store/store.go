// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package store keeps the bodies of bulk requests in a storage extension, across restarts.
package store

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
	// formatVersion is the version of what is on disk: the index and the keys and values of entries.
	formatVersion = 1
	indexKey      = "index"
)

// ErrClosed is returned for writes after Close.
var ErrClosed = errors.New("opensearch_bulk: the storage is closed")

// Store keeps bodies of bulk requests, each as one entry and ready to be sent. Headers and credentials are never part
// of it.
//
// Invariants:
//   - The index lists exactly the entries that exist. A change of an entry and of the index is one transaction, so a
//     crash leaves both or neither.
//   - When a change returns nil, it is as durable as the storage extension makes it (`fsync: true` for
//     file_storage). When it returns an error, nothing has changed.
//   - An id is never used twice, even after its entry is removed.
//
// A Store is safe for concurrent use.
type Store struct {
	client storage.Client

	mu     sync.Mutex
	index  index // guarded by mu
	closed bool  // guarded by mu
}

// index lists the entries, since a storage client can't. Its JSON is on disk: see formatVersion.
type index struct {
	Version int     `json:"version"`
	Next    uint64  `json:"next"`
	Entries []Entry `json:"entries"`
}

// Entry is one stored body, with its number of documents and its size.
type Entry struct {
	ID    uint64 `json:"id"`
	Items int64  `json:"items"`
	Bytes int64  `json:"bytes"`
}

func (e Entry) key() string { return "bulk/" + strconv.FormatUint(e.ID, 10) }

// Open reads what an earlier run has left. An index that it can't read is an error and not an empty store. The Store
// owns client from then on, unless Open fails.
func Open(ctx context.Context, client storage.Client) (*Store, error) {
	raw, err := client.Get(ctx, indexKey)
	if err != nil {
		return nil, fmt.Errorf("read the list of stored documents: %w", err)
	}
	s := &Store{client: client, index: index{Version: formatVersion}}
	if raw == nil {
		return s, nil
	}
	if json.Unmarshal(raw, &s.index) != nil {
		return nil, errors.New("the list of stored documents can't be read: restore the storage, or move its file for " +
			"this extension away to start without those documents")
	}
	if s.index.Version != formatVersion {
		return nil, fmt.Errorf("the stored documents were written by another version (format %d, this one reads %d): "+
			"start that version until it has delivered them", s.index.Version, formatVersion)
	}
	return s, nil
}

// Put stores the body of a bulk request with this number of documents as one entry.
func (s *Store) Put(ctx context.Context, body []byte, items int) error {
	return s.Replace(ctx, nil, body, items)
}

// Remove deletes an entry.
func (s *Store) Remove(ctx context.Context, entry Entry) error {
	return s.Replace(ctx, []Entry{entry}, nil, 0)
}

// Replace deletes entries and stores body, if it has documents, as a new one, in one transaction.
func (s *Store) Replace(ctx context.Context, entries []Entry, body []byte, items int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	var ops []*storage.Operation
	changed := s.index
	changed.Entries = slices.DeleteFunc(slices.Clone(changed.Entries), func(e Entry) bool {
		return slices.ContainsFunc(entries, func(old Entry) bool { return old.ID == e.ID })
	})
	for _, entry := range entries {
		ops = append(ops, storage.DeleteOperation(entry.key()))
	}
	if items > 0 {
		entry := Entry{ID: changed.Next, Items: int64(items), Bytes: int64(len(body))}
		changed.Next++
		changed.Entries = append(changed.Entries, entry)
		ops = append(ops, storage.SetOperation(entry.key(), body))
	}
	raw, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	if err := s.client.Batch(ctx, append(ops, storage.SetOperation(indexKey, raw))...); err != nil {
		return fmt.Errorf("write to storage: %w", err)
	}
	s.index = changed
	return nil
}

// Load returns the body of an entry. A body that is shorter or longer than it was is an error.
func (s *Store) Load(ctx context.Context, entry Entry) ([]byte, error) {
	body, err := s.client.Get(ctx, entry.key())
	if err == nil && int64(len(body)) != entry.Bytes {
		err = errors.New("stored documents are incomplete")
	}
	return body, err
}

// Entries returns the entries in the order in which they were stored.
func (s *Store) Entries() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.index.Entries)
}

// Size returns how many documents and bytes are stored.
func (s *Store) Size() (items, bytes int64) {
	for _, entry := range s.Entries() {
		items += entry.Items
		bytes += entry.Bytes
	}
	return items, bytes
}

// Close closes the storage client. Further calls do nothing.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.client.Close(ctx)
}
