// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"

	"go.uber.org/zap"
)

// replay delivers what an earlier run stored, beside the new traffic. Ids make it harmless to send a document again.
func (e *bulkExtension) replay() {
	entries := e.courier.store.entries()
	if len(entries) == 0 {
		return
	}
	items, bytes := e.courier.store.size()
	e.logger.Info("Documents of an earlier run wait in storage", zap.Int64("documents", items), zap.Int64("bytes", bytes))
	to := e.replayTarget()
	if to == nil || !e.setup.wait(e.life, e.releasing) {
		return
	}
	ctx, cancel := e.untilRelease(e.life)
	defer cancel()
	delivered := true
	for _, entry := range entries {
		delivered = e.replayEntry(ctx, to, entry) && delivered
		if ctx.Err() != nil || e.releasing.Err() != nil {
			return
		}
	}
	if delivered {
		e.logger.Info("The stored documents are delivered", zap.Int64("documents", items))
	}
}

// replayTarget is the extension's own client, else the way that the exporter's first request shows.
func (e *bulkExtension) replayTarget() target {
	if e.courier.own != nil {
		return e.courier.own
	}
	select {
	case <-e.firstSeen:
		return e.lastTarget.Load()
	case <-e.releasing.Done():
		return nil
	}
}

func (e *bulkExtension) replayEntry(ctx context.Context, to target, entry storedEntry) bool {
	body, err := e.courier.store.load(ctx, entry)
	if err != nil {
		e.logger.Error("Stored documents can't be read; they stay in storage", zap.Uint64("entry", entry.ID), zap.Error(err))
		return false
	}
	items, err := e.rewriter.restore(body)
	if err != nil {
		e.logger.Error("Stored documents can't be read; they stay in storage", zap.Uint64("entry", entry.ID), zap.Error(err))
		return false
	}
	if left := e.courier.deliver(ctx, to, items); len(left) > 0 {
		return false
	}
	if err := e.courier.store.remove(context.WithoutCancel(ctx), entry); err != nil {
		e.logger.Error("Delivered documents can't be removed from storage; they will be sent again after the next start", zap.Error(err))
		return false
	}
	return true
}
