// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// keysPerPage bounds a part that is not bounded by what it costs.
const keysPerPage = 10_000

// readAgain finds the rows that have appeared behind the position.
func (r *reader) readLate(ctx context.Context, conn source.Conn, f follower, now time.Time) error {
	if f.position.CreatedAt.IsZero() {
		return nil
	}
	if err := r.loadNewest(ctx, f.tail, now); err != nil {
		return err
	}
	newest := f.newestSpan(now)
	if _, err := r.readSpan(ctx, conn, f, newest, now); err != nil {
		return err
	}
	if window := f.windowSpan(newest, now); !window.empty() {
		keys, err := r.readSpan(ctx, conn, f, window, now)
		if err != nil {
			return err
		}
		f.windowRead(window, keys)
	}
	if !f.indexed {
		return nil
	}
	return r.sweep(ctx, conn, f, now)
}

// loadNewest loads so much of the ledger as newestSpan looks at.
func (r *reader) loadNewest(ctx context.Context, t *tail, now time.Time) error {
	keys := 0
	for m := minuteOf(t.position.CreatedAt); m >= minuteOf(now.Add(-t.lookBack)) && keys <= t.rescan.limits.newest; m-- {
		if err := t.processed.load(ctx, r.client, m); err != nil {
			return err
		}
		keys += t.processed.count(m)
	}
	return nil
}

func (r *reader) sweep(ctx context.Context, conn source.Conn, f follower, now time.Time) error {
	s := f.sweepSpan(now)
	if s.empty() && !f.rescan.active {
		return nil
	}
	var keys []source.Key
	if !s.empty() {
		var err error
		if keys, err = r.readSpan(ctx, conn, f, s, now); err != nil {
			return err
		}
	}
	floor, raised := f.swept(s, keys)
	if !raised {
		return nil
	}
	dropped, err := f.processed.drop(ctx, r.client, minuteOf(f.floor), minuteOf(floor))
	if err != nil {
		return err
	}
	r.state.dropped = append(r.state.dropped, dropped...)
	f.floor = floor
	return nil
}

// readSpan reads a part of the index and takes the rows that are new.
func (r *reader) readSpan(ctx context.Context, conn source.Conn, f follower, s span, now time.Time) ([]source.Key, error) {
	keys, err := conn.Keys(ctx, f.table, s.after, s.upTo, s.limit)
	if err != nil {
		return nil, err
	}
	if err := f.processed.load(ctx, r.client, minutesOf(keys, func(key *source.Key) time.Time { return key.CreatedAt })...); err != nil {
		return nil, err
	}
	for ids := range slices.Chunk(f.unprocessed(keys), r.cfg.PageSize) {
		found, err := f.byID(ctx, ids)
		if err != nil {
			return nil, err
		}
		if err := r.complete(ctx, conn, f, found, now); err != nil {
			return nil, err
		}
		if err := f.process(ctx, f.sortLate(found, now)); err != nil {
			return nil, err
		}
	}
	return keys, nil
}
