// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/store"
)

// ReplayInterval is the pause between two attempts to deliver what is in storage, such as dead letters that were
// rejected.
const ReplayInterval = 10 * time.Minute

// Replay delivers what is in storage, alongside new traffic: first what an earlier run has left, then every interval
// what was rejected even as a dead letter. It returns when the collector begins to stop. Ids make it harmless to send
// a document again.
func (d *Deliverer) Replay(interval time.Duration) {
	r := replayer{Deliverer: d}
	if items, bytes := d.Store.Size(); items > 0 {
		d.Logger.Info("Documents of an earlier run are in storage",
			zap.Int64("documents", items), zap.Int64("bytes", bytes))
	}
	if !r.waitTarget() || !d.waitReady(d.Phases.Life) {
		return
	}
	ctx, cancel := d.Phases.untilCutoff(d.Phases.Life)
	defer cancel()
	r.all(ctx)
	for wait(ctx, d.Phases.Releasing, nil, interval) {
		r.all(ctx)
	}
}

// replayer is a Deliverer that reads from its own storage.
type replayer struct{ *Deliverer }

// all tries each entry once.
func (r *replayer) all(ctx context.Context) {
	stored, _ := r.Store.Size()
	if stored == 0 {
		return
	}
	for _, entry := range r.Store.Entries() {
		if r.Phases.Releasing.Err() != nil {
			return // what is stored from now on is for the next start
		}
		r.deliverEntry(ctx, r.target(), entry)
	}
	if left, _ := r.Store.Size(); left == 0 {
		r.Logger.Info("The stored documents are delivered", zap.Int64("documents", stored))
	}
}

// waitTarget waits for a way to OpenSearch. It returns false if the collector stops before there is one.
func (r *replayer) waitTarget() bool {
	if r.Client != nil {
		return true
	}
	select {
	case <-r.exporters.known:
		return true
	case <-r.Phases.Releasing.Done():
		return false
	}
}

// target returns the extension's own client, else that of the exporter's latest request: the credentials may have
// changed since the first one.
func (r *replayer) target() target {
	if r.Client != nil {
		return r.Client
	}
	return r.exporters.latest.Load()
}

func (r *replayer) deliverEntry(ctx context.Context, to target, entry store.Entry) {
	items, err := r.load(ctx, entry)
	if err != nil {
		r.Logger.Error("Stored documents can't be read; they stay in storage", zap.Uint64("entry", entry.ID), zap.Error(err))
		return
	}
	if left := r.deliver(ctx, to, items); len(left) > 0 {
		return
	}
	if err := r.Store.Remove(context.WithoutCancel(ctx), entry); err != nil {
		r.Logger.Error("Delivered documents can't be removed from storage; they will be sent again after the next start",
			zap.Error(err))
	}
}

func (r *replayer) load(ctx context.Context, entry store.Entry) ([]bulkapi.Item, error) {
	body, err := r.Store.Load(ctx, entry)
	if err != nil {
		return nil, err
	}
	items, err := bulkapi.Restore(body, r.DeadLetterIndex)
	for i := range items {
		items[i].Stored = true
	}
	return items, err
}
