// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/store"
)

// ReplayInterval is the pause between two attempts to deliver dead letters that were rejected.
const ReplayInterval = 10 * time.Minute

// Replay delivers what is in storage, alongside new traffic: first what an earlier run has left, then documents that
// wait for their index, and every interval what was rejected even as a dead letter. It returns when the collector
// begins to stop. Ids make it harmless to send a document again.
func (d *Deliverer) Replay(interval time.Duration) {
	r := replayer{Deliverer: d, interval: interval, pauses: d.Outage.retry.NewBackoff()}
	if items, bytes := d.Store.Size(); items > 0 {
		d.Logger.Info("Documents of an earlier run are in storage",
			zap.Int64("documents", items), zap.Int64("bytes", bytes))
	}
	if !r.waitTarget() || !d.waitReady(d.Phases.Life) {
		return
	}
	ctx, cancel := d.Phases.untilCutoff(d.Phases.Life)
	defer cancel()
	for again := true; again; again = r.pause(ctx) {
		r.pass(ctx)
	}
}

// replayer is a Deliverer that reads from its own storage.
type replayer struct {
	*Deliverer
	interval time.Duration
	pauses   backoff.Backoff // while documents wait for their index
	due      time.Time       // when rejected dead letters are sent again

	unreadable logthrottle.Once // by entry
}

// pause waits until the next pass. While documents wait for their index that is a short time, which grows as long as
// nothing changes.
func (r *replayer) pause(ctx context.Context) bool {
	longest := time.Until(r.due)
	if r.waiting.any() {
		longest = min(longest, r.pauses.Next())
	}
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.waiting.changed:
		r.pauses.Reset()
		return wait(ctx, r.Phases.Releasing, nil, r.pauses.Next())
	case <-ctx.Done():
	case <-r.Phases.Releasing.Done():
	}
	return false
}

// pass tries all entries. An index that does not accept a document is not tried again in the same pass.
func (r *replayer) pass(ctx context.Context) {
	r.waiting.beginPass()
	defer r.waiting.endPass()
	skip := map[string]bool{}
	if now := time.Now(); now.Before(r.due) {
		skip[r.DeadLetterIndex] = !r.waiting.contains(r.DeadLetterIndex)
	} else {
		r.due = now.Add(r.interval)
	}
	stored, _ := r.Store.Size()
	if stored == 0 {
		return
	}
	var rest remainder
	for _, entry := range r.Store.Entries() {
		if r.Phases.Releasing.Err() != nil {
			break // what is stored from now on is for the next start
		}
		if left, total, ok := r.deliverEntry(ctx, entry, skip); ok {
			r.keep(ctx, &rest, entry, left, total)
		}
	}
	r.flush(ctx, &rest)
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

// deliverEntry delivers the documents of an entry whose index is not to be skipped. It returns those that are left,
// whose indices it adds to skip, and how many there were.
func (r *replayer) deliverEntry(
	ctx context.Context, entry store.Entry, skip map[string]bool,
) (left chunk, total int, ok bool) {
	items, err := r.load(ctx, entry)
	if err != nil {
		if r.unreadable.First(strconv.FormatUint(entry.ID, 10)) {
			r.Logger.Error("Stored documents can't be read; they stay in storage", zap.Uint64("entry", entry.ID), zap.Error(err))
		}
		return nil, 0, false
	}
	var open chunk
	for _, i := range items {
		if skip[i.Index()] {
			left = append(left, i)
		} else {
			open = append(open, i)
		}
	}
	if len(open) > 0 {
		for _, i := range r.deliver(ctx, r.target(), open) {
			left = append(left, i)
			skip[i.Index()] = true
		}
	}
	return left, len(items), true
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

// entrySize is the size in bytes from which an entry is not merged with others.
const entrySize = 1 << 20

// remainder is what is left of entries. It becomes one entry: the more entries there are, the longer each change of the
// storage takes.
type remainder struct {
	entries []store.Entry
	items   chunk
	bytes   int64
	changed bool // an entry has lost documents
}

// keep adds what is left of an entry. An entry of which nothing is left is removed at once.
func (r *replayer) keep(ctx context.Context, rest *remainder, entry store.Entry, left chunk, total int) {
	switch {
	case len(left) == 0:
		r.flush(ctx, &remainder{entries: []store.Entry{entry}, changed: true})
		return
	case len(left) == total && entry.Bytes >= entrySize:
		return
	}
	rest.entries, rest.items = append(rest.entries, entry), append(rest.items, left...)
	rest.bytes += entry.Bytes
	rest.changed = rest.changed || len(left) < total
	if rest.bytes >= entrySize {
		r.flush(ctx, rest)
	}
}

// flush stores a remainder in place of its entries, and empties it.
func (r *replayer) flush(ctx context.Context, rest *remainder) {
	if rest.changed || len(rest.entries) > 1 {
		err := r.Store.Replace(context.WithoutCancel(ctx), rest.entries, bulkapi.Join(rest.items), len(rest.items))
		if err != nil {
			r.Logger.Error("Delivered documents can't be removed from storage; they will be sent again", zap.Error(err))
		}
	}
	*rest = remainder{}
}
