// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// deferLogInterval is the shortest time between two log lines about documents that wait for their index.
const deferLogInterval = time.Minute

// putAside stores documents whose index does not accept them now, so that they do not hold up others; Replay sends
// them again. It returns false if they can't be stored.
func (d *Deliverer) putAside(ctx context.Context, items chunk, why *Failure) bool {
	body := bulkapi.Join(items)
	if _, stored := d.Store.Size(); stored+int64(len(body)) > d.MaxDeferred {
		return false
	}
	if err := d.Store.Put(context.WithoutCancel(ctx), body, len(items)); err != nil {
		return false // the disk is full: the exporter's queue has the documents
	}
	d.Telemetry.Items(ctx, len(items), OutcomeDeferred)
	d.waiting.add(items)
	if requests, log := d.deferred.Next(time.Now()); log {
		d.Logger.Warn("Documents wait for an index and are put aside: they are sent again until it accepts them",
			append(why.fields(), zap.Int("requests", requests))...)
	}
	return true
}

// waitingIndices are the indices for which documents in storage wait. It wakes Replay when an index begins to wait and
// when it accepts documents again.
type waitingIndices struct {
	changed chan struct{}

	mu     sync.Mutex
	pass   int            // of Replay; guarded by mu
	failed map[string]int // the pass of the latest failure, by index; guarded by mu
}

func newWaitingIndices() *waitingIndices {
	return &waitingIndices{changed: make(chan struct{}, 1), failed: map[string]int{}}
}

// add is called after the items are in storage.
func (w *waitingIndices) add(items chunk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range items {
		index := i.Index()
		if _, known := w.failed[index]; !known {
			w.wake()
		}
		w.failed[index] = w.pass
	}
}

// remove is called with items about which OpenSearch has decided.
func (w *waitingIndices) remove(items chunk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.failed) == 0 {
		return
	}
	for _, i := range items {
		index := i.Index()
		if _, known := w.failed[index]; known {
			delete(w.failed, index)
			w.wake()
		}
	}
}

// wake is called with mu held.
func (w *waitingIndices) wake() {
	select {
	case w.changed <- struct{}{}:
	default: // Replay has not seen the one before
	}
}

func (w *waitingIndices) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.failed) > 0
}

func (w *waitingIndices) contains(index string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, known := w.failed[index]
	return known
}

// beginPass is called before all entries of the storage are tried.
func (w *waitingIndices) beginPass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass++
}

// endPass forgets the indices for which no document waits any more.
func (w *waitingIndices) endPass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for index, pass := range w.failed {
		if pass < w.pass {
			delete(w.failed, index)
		}
	}
}
