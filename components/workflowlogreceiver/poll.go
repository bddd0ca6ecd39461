// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const keysPerPage = 10_000

// follower is what differs between the two tables that are followed in the order of time.
type follower struct {
	*tail
	table source.Table
	// indexed says whether that order has an index. Without one, only what is needed at once is read.
	indexed bool
	after   func(context.Context, source.Position, int) ([]outcome, error)
	byID    func(context.Context, []string) ([]outcome, error)
	// details says whether other tables have more to tell.
	details bool
	take    func(context.Context, batch) error
}

func (r *reader) runs(conn source.Conn) follower {
	return follower{
		tail: r.state.runs, table: source.Runs, indexed: r.schema.RunsByTime, details: true, take: r.takeRuns,
		after: func(ctx context.Context, after source.Position, limit int) ([]outcome, error) {
			runs, err := conn.RunsAfter(ctx, after, limit)
			return outcomesOf(runs), err
		},
		byID: func(ctx context.Context, ids []string) ([]outcome, error) {
			runs, err := conn.Runs(ctx, ids)
			return outcomesOf(runs), err
		},
	}
}

func (r *reader) messages(conn source.Conn) follower {
	return follower{
		tail: r.state.messages, table: source.Messages, indexed: r.schema.MessagesByTime, take: r.takeMessages,
		after: func(ctx context.Context, after source.Position, limit int) ([]outcome, error) {
			messages, err := conn.MessagesAfter(ctx, after, limit)
			return calls(messages), err
		},
		byID: func(ctx context.Context, ids []string) ([]outcome, error) {
			messages, err := conn.Messages(ctx, ids)
			return calls(messages), err
		},
	}
}

func outcomesOf(runs []source.Run) []outcome {
	outcomes := make([]outcome, len(runs))
	for i, run := range runs {
		outcomes[i].Run = run
	}
	return outcomes
}

// poll reads what is due, and saves what became of it.
func (r *reader) poll(ctx context.Context, conn source.Conn) error {
	// Read before the tables, so that what it says of them is never too much.
	now, err := conn.Now(ctx)
	if err != nil {
		return err
	}
	if err := r.follow(ctx, conn, r.runs(conn), now); err != nil {
		return err
	}
	if r.messagesAreDue(now) {
		r.messagesRead = now
		if err := r.follow(ctx, conn, r.messages(conn), now); err != nil {
			return err
		}
	}
	if err := r.count(ctx, conn, now); err != nil {
		return err
	}
	if err := r.findOrphans(ctx, conn, now); err != nil {
		return err
	}
	r.telemetry.WorkflowLogOpenRuns.Record(ctx, int64(len(r.state.runs.open)))
	if err := r.save(ctx); err != nil {
		return err
	}
	r.publish(false)
	return nil
}

// messagesAreDue: at each poll, but where each app has to be asked for itself.
func (r *reader) messagesAreDue(now time.Time) bool {
	if r.emitter == nil || r.schema.Messages != nil {
		return false
	}
	return r.schema.MessagesByTime || now.Sub(r.messagesRead) >= gentleInterval
}

// follow reads first the open rows, then late ones, then new ones.
func (r *reader) follow(ctx context.Context, conn source.Conn, f follower, now time.Time) error {
	if err := r.visitOpen(ctx, conn, f, now); err != nil {
		return err
	}
	if err := r.readAgain(ctx, conn, f, now); err != nil {
		return err
	}
	return r.readOn(ctx, conn, f, now)
}

func (r *reader) visitOpen(ctx context.Context, conn source.Conn, f follower, now time.Time) error {
	for ids := range slices.Chunk(f.due(now), r.cfg.PageSize) {
		found, err := f.byID(ctx, ids)
		if err != nil {
			return err
		}
		if err := r.complete(ctx, conn, f, found, now, func(run source.Run) bool { return f.wants(run, now) }); err != nil {
			return err
		}
		if err := f.take(ctx, f.visited(ids, found, now)); err != nil {
			return err
		}
	}
	return nil
}

// readAgain finds the rows that have appeared behind the position.
func (r *reader) readAgain(ctx context.Context, conn source.Conn, f follower, now time.Time) error {
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
		if err := t.ledger.load(ctx, r.client, m); err != nil {
			return err
		}
		keys += t.ledger.count(m)
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
	dropped, err := f.ledger.drop(ctx, r.client, minuteOf(f.floor), minuteOf(floor))
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
	if err := f.ledger.load(ctx, r.client, minutesOf(keys, func(key source.Key) time.Time { return key.CreatedAt })...); err != nil {
		return nil, err
	}
	for ids := range slices.Chunk(f.unseen(keys), r.cfg.PageSize) {
		found, err := f.byID(ctx, ids)
		if err != nil {
			return nil, err
		}
		if err := r.complete(ctx, conn, f, found, now, func(run source.Run) bool { return f.wants(run, now) }); err != nil {
			return nil, err
		}
		if err := f.take(ctx, f.late(found, now)); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// page is some rows in order, or why there are none.
type page struct {
	rows []outcome
	err  error
}

// readOn takes the rows after the position. While the pipeline takes one page the next one is read.
func (r *reader) readOn(ctx context.Context, conn source.Conn, f follower, now time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan page)
	go r.readAhead(ctx, conn, f, f.position, now, pages)
	defer func() {
		cancel()
		for range pages { // the connection is free when the channel is closed
		}
	}()
	for page := range pages {
		if page.err != nil {
			return page.err
		}
		if err := r.load(ctx, f.tail, page.rows); err != nil {
			return err
		}
		if err := f.take(ctx, f.walked(page.rows, now)); err != nil {
			return err
		}
		if err := r.saveNowAndThen(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// readAhead sends page after page until there are no more rows. It looks at nothing that taking a page changes.
func (r *reader) readAhead(ctx context.Context, conn source.Conn, f follower, after source.Position, now time.Time, pages chan<- page) {
	defer close(pages)
	wanted := func(run source.Run) bool { return hasEnded(run) || f.isStuck(run, now) }
	for {
		rows, err := f.after(ctx, after, r.cfg.PageSize)
		if err == nil && len(rows) == 0 {
			return
		}
		if err == nil {
			err = r.complete(ctx, conn, f, rows, now, wanted)
		}
		select {
		case pages <- page{rows, err}:
		case <-ctx.Done():
			return
		}
		if err != nil || len(rows) < r.cfg.PageSize {
			return
		}
		after = rows[len(rows)-1].Position()
	}
}

// load loads so much of the ledger as the rows need.
func (r *reader) load(ctx context.Context, t *tail, rows []outcome) error {
	first := slices.IndexFunc(rows, func(o outcome) bool { return t.remembers(o.CreatedAt) })
	if first < 0 {
		return nil
	}
	return t.ledger.load(ctx, r.client, minutesOf(rows[first:], func(o outcome) time.Time { return o.CreatedAt })...)
}

// complete looks up what other tables know of the rows.
func (r *reader) complete(ctx context.Context, conn source.Conn, f follower, rows []outcome, now time.Time, wanted func(source.Run) bool) error {
	if err := r.enricher.name(ctx, conn, rows, now); err != nil || !f.details {
		return err
	}
	unreadable, err := complete(ctx, conn, rows, wanted)
	r.telemetry.WorkflowLogUsageUnreadable.Add(ctx, int64(unreadable))
	return err
}

// count takes the census of the runs that are too old to be told.
func (r *reader) count(ctx context.Context, conn source.Conn, now time.Time) error {
	if !r.schema.RunsByTime {
		return nil
	}
	c := r.state.census
	s := c.span(now, r.state.runs.floor, r.cfg.MaxRunAge)
	if !c.active {
		return nil
	}
	var keys []source.Key
	if !s.empty() {
		var err error
		if keys, err = conn.Keys(ctx, source.Runs, s.after, s.upTo, s.limit); err != nil {
			return err
		}
	}
	r.observeTooOld(ctx, c.counted(s, keys))
	return nil
}
