// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// readLate finds the rows that have appeared behind the position.
func (t *tablePoll) readLate(ctx context.Context) error {
	if t.tail.Position.CreatedAt.IsZero() {
		return nil
	}
	rescan := t.tail.Rescan
	for m := range rescan.NewestMinutes(t.tail, t.now) {
		if err := t.poller.saver.store.LoadProcessed(ctx, t.kind, t.tail.Processed, m); err != nil {
			return err
		}
	}
	newest := rescan.Newest(t.tail, t.now)
	if _, err := t.readSpan(ctx, newest); err != nil {
		return err
	}
	if window := rescan.Window(t.tail, newest, t.now); !window.Empty() {
		keys, err := t.readSpan(ctx, window)
		if err != nil {
			return err
		}
		rescan.WindowRead(window, keys)
	}
	if !t.indexed {
		return nil
	}
	return t.sweep(ctx)
}

// sweep reads the next part of the rows older than the look-back window. At the end of a pass it raises the floor.
func (t *tablePoll) sweep(ctx context.Context) error {
	span, active := t.tail.Rescan.Sweep(t.tail, t.now)
	if !active {
		return nil
	}
	var keys []source.Key
	if !span.Empty() {
		var err error
		if keys, err = t.readSpan(ctx, span); err != nil {
			return err
		}
	}
	floor, raised := t.tail.Rescan.Swept(t.tail, span, keys)
	if !raised {
		return nil
	}
	from, to := tracker.MinuteOf(t.tail.Floor), tracker.MinuteOf(floor)
	if err := t.poller.saver.store.DropProcessed(ctx, t.kind, t.tail.Processed, from, to); err != nil {
		return err
	}
	t.tail.Floor = floor
	return nil
}

// readSpan reads a part of the index and processes the rows that are new.
func (t *tablePoll) readSpan(ctx context.Context, s tracker.Span) ([]source.Key, error) {
	keys, err := t.conn.Keys(ctx, t.table, s.After, s.UpTo, s.Limit)
	if err != nil {
		return nil, err
	}
	minutes := tracker.MinutesOf(keys, func(key *source.Key) time.Time { return key.CreatedAt })
	if err := t.poller.saver.store.LoadProcessed(ctx, t.kind, t.tail.Processed, minutes...); err != nil {
		return nil, err
	}
	for ids := range slices.Chunk(t.tail.Unprocessed(keys), t.poller.cfg.PageSize) {
		found, err := t.read(ctx, ids)
		if err != nil {
			return nil, err
		}
		if err := t.process(ctx, t.tail.SortLate(found, t.now)); err != nil {
			return nil, err
		}
	}
	return keys, nil
}
