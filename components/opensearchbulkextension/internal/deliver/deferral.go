// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// DeferAfter is how long the first documents for an index are retried.
const DeferAfter = 10 * time.Second

// deferral decides for one request when documents that wait for their index must not hold up others any longer: an
// index that can't be created, is blocked or has no active shard may never accept them.
type deferral struct {
	deliverer *Deliverer
	began     time.Time // when documents began to wait
}

// judgement is what to do with documents that wait for their index.
type judgement int

const (
	retryNow    judgement = iota
	deferred              // they are in storage
	leaveStored           // they came from there: replay tries all entries, and again after its interval
)

func (f *deferral) judge(ctx context.Context, items chunk, failed Failure) judgement {
	d := f.deliverer
	indices, now := indicesOf(items), time.Now()
	if f.began.IsZero() {
		f.began = now
	}
	if now.Sub(f.began) < d.DeferAfter && !d.waiting.all(indices, now) {
		return retryNow
	}
	if items[0].Stored {
		d.waiting.add(indices, now)
		return leaveStored
	}
	body := bulkapi.Join(items)
	if _, stored := d.Store.Size(); stored+int64(len(body)) > d.MaxDeferred {
		return retryNow
	}
	if err := d.Store.Put(context.WithoutCancel(ctx), body, len(items)); err != nil {
		return retryNow // the disk is full: the exporter's queue has the documents
	}
	d.Telemetry.Items(ctx, len(items), OutcomeDeferred)
	if d.waiting.add(indices, now) {
		d.Logger.Warn("Documents wait for an index and were put aside; they are sent again every ten minutes",
			append(failed.fields(), zap.Int("documents", len(items)))...)
	}
	return deferred
}

func indicesOf(items chunk) []string {
	var names []string
	seen := map[string]bool{}
	for _, i := range items {
		place, err := bulkapi.ParsePlace(i.ActionLine())
		if err == nil && !seen[place.Index] {
			seen[place.Index] = true
			names = append(names, place.Index)
		}
	}
	return names
}

// waitingIndices are the indices whose documents were deferred some time ago: further ones are deferred at once.
type waitingIndices struct {
	mu    sync.Mutex
	names *expiring.Set[string] // guarded by mu
}

func newWaitingIndices() *waitingIndices {
	const most = 1000
	return &waitingIndices{names: expiring.NewSet[string](most, time.Minute)}
}

func (w *waitingIndices) all(names []string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		if !w.names.Contains(name, now) {
			return false
		}
	}
	return true
}

// add reports whether one of the indices is new.
func (w *waitingIndices) add(names []string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := false
	for _, name := range names {
		if !w.names.Contains(name, now) {
			found = true
			w.names.Add(name, now)
		}
	}
	return found
}
