// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// replayInterval is the pause between two attempts to deliver what is in storage: dead letters that were refused.
const replayInterval = 10 * time.Minute

// replay delivers what storage keeps, beside the new traffic: first what an earlier run left, then now and then what was
// refused even as a dead letter. Ids make it harmless to send a document again.
func (e *bulkExtension) replay() {
	if items, bytes := e.deliverer.store.size(); items > 0 {
		e.logger.Info("Documents of an earlier run wait in storage", zap.Int64("documents", items), zap.Int64("bytes", bytes))
	}
	if !e.awaitTarget() || !e.setup.wait(e.life, e.releasing) {
		return
	}
	ctx, cancel := e.untilCutoff(e.life)
	defer cancel()
	e.replayStored(ctx)
	for wait(ctx, e.releasing, nil, e.replayEvery) {
		e.replayStored(ctx)
	}
}

// replayStored tries each entry once.
func (e *bulkExtension) replayStored(ctx context.Context) {
	waiting, _ := e.deliverer.store.size()
	if waiting == 0 {
		return
	}
	for _, entry := range e.deliverer.store.entries() {
		if e.releasing.Err() != nil {
			return // what is stored from now on is for the next start
		}
		e.replayEntry(ctx, e.replayTarget(), entry)
	}
	if left, _ := e.deliverer.store.size(); left == 0 {
		e.logger.Info("The stored documents are delivered", zap.Int64("documents", waiting))
	}
}

// awaitTarget waits for a way to OpenSearch; false if the collector stops before there is one.
func (e *bulkExtension) awaitTarget() bool {
	if e.deliverer.own != nil {
		return true
	}
	select {
	case <-e.firstSeen:
		return true
	case <-e.releasing.Done():
		return false
	}
}

// replayTarget is the extension's own client, else the way of the exporter's latest request: a login may have changed since
// the first.
func (e *bulkExtension) replayTarget() target {
	if e.deliverer.own != nil {
		return e.deliverer.own
	}
	return e.lastTarget.Load()
}

func (e *bulkExtension) replayEntry(ctx context.Context, to target, entry storedEntry) {
	body, err := e.deliverer.store.load(ctx, entry)
	if err != nil {
		e.logger.Error("Stored documents can't be read; they stay in storage", zap.Uint64("entry", entry.ID), zap.Error(err))
		return
	}
	items, err := e.rewriter.restore(body)
	if err != nil {
		e.logger.Error("Stored documents can't be read; they stay in storage", zap.Uint64("entry", entry.ID), zap.Error(err))
		return
	}
	for i := range items {
		items[i].stored = true
	}
	if left := e.deliverer.deliver(ctx, to, items); len(left) > 0 {
		return
	}
	if err := e.deliverer.store.remove(context.WithoutCancel(ctx), entry); err != nil {
		e.logger.Error("Delivered documents can't be removed from storage; they will be sent again after the next start", zap.Error(err))
	}
}
