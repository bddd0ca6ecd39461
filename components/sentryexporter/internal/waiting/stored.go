// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package waiting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

const storedVersion = 1

// shard is also the stored form: its keys must not change.
type shard struct {
	Version    int             `json:"version"`
	Pending    []pendingRun    `json:"held,omitempty"`
	Superseded []supersededRun `json:"told,omitempty"`
}

type pendingRun struct {
	Run       string          `json:"run"` // item.Item.Waits
	Due       time.Time       `json:"due"`
	Item      *item.Item      `json:"item"`
	Payload   []byte          `json:"payload"`
	Relations *item.Relations `json:"relations,omitempty"`
}

type supersededRun struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"`
}

// Open reads what an earlier process stored and keeps the client, which Close closes. State that cannot be read is an
// error, since it would be overwritten otherwise.
func (s *Store) Open(ctx context.Context, client storage.Client) error {
	var shards [runShards + errorShards]shard
	for n := range shards {
		b, err := client.Get(ctx, shardKey(n))
		if err != nil {
			return fmt.Errorf("read pending failed runs from `storage`: %w", err)
		}
		if b == nil {
			continue
		}
		var stored shard
		if err := json.Unmarshal(b, &stored); err != nil || stored.Version != storedVersion {
			return errors.New("the pending failed runs in `storage` are damaged or were written by a newer version: " +
				"run that version, or delete this exporter's `runs` file, which loses them")
		}
		for i := range stored.Pending {
			stored.Pending[i].restore()
		}
		shards[n] = stored
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shards, s.client = shards, client
	for i := range shards {
		for _, r := range shards[i].Pending {
			s.index(r.Item)
		}
	}
	return nil
}

// restore sets what the stored form of an item lacks.
func (r *pendingRun) restore() {
	r.Item.Payload, r.Item.Waits = r.Payload, r.Run
	_ = r.Item.ID.UnmarshalText([]byte(r.Item.EventID)) // events only: their IDs are equal
	if r.Relations != nil {
		r.Item.Relations = *r.Relations
	}
}

// Durable reports whether pending runs survive the process.
func (s *Store) Durable() bool { return s.client != nil }

// Close closes the storage client, if there is one.
func (s *Store) Close(ctx context.Context) error {
	if s.client == nil {
		return nil
	}
	err := s.client.Close(ctx)
	s.client = nil
	return err
}

// save writes a shard. The caller holds mu.
func (s *Store) save(ctx context.Context, n int) error {
	if s.client == nil {
		return nil
	}
	sh := s.shards[n]
	if len(sh.Pending) == 0 && len(sh.Superseded) == 0 {
		return s.client.Delete(ctx, shardKey(n))
	}
	sh.Version = storedVersion
	b, err := json.Marshal(sh)
	if err != nil {
		return fmt.Errorf("encode pending failed runs: %w", err)
	}
	return s.client.Set(ctx, shardKey(n), b)
}
