// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/enrich"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// pagesAhead is how many pages may wait for the pipeline, beside the one that is being read.
const pagesAhead = 2

// page is some rows in order, with what belongs to them, or why there are none.
type page struct {
	rows    []outcome.Outcome
	details enrich.Details
	err     error
}

// readOn takes the rows after the position. While the pipeline takes one page the next ones are read.
func (r *reader) readNew(ctx context.Context, conn source.Conn, f follower, now time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan page, pagesAhead)
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
		r.fill(ctx, f, page.rows, page.details)
		if err := r.load(ctx, f.tail, page.rows); err != nil {
			return err
		}
		if err := f.process(ctx, f.sortPage(page.rows, now)); err != nil {
			return err
		}
		if err := r.saveIfDue(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// readAhead sends page after page until there are no more rows. It looks at nothing that taking a page changes, and does
// only what needs the connection, so that the database is soon asked again.
func (r *reader) readAhead(ctx context.Context, conn source.Conn, f follower, after source.Position, now time.Time, pages chan<- page) {
	defer close(pages)
	send := func(p page) bool {
		select {
		case pages <- p:
			return p.err == nil
		case <-ctx.Done():
			return false
		}
	}
	rows, err := f.after(ctx, after, r.cfg.PageSize)
	for err == nil && len(rows) > 0 {
		p, next, known := r.readPage(ctx, conn, f, rows, now)
		more, after := len(rows) == r.cfg.PageSize, rows[len(rows)-1].Position()
		if !send(p) || !more {
			return
		}
		if !known {
			next, err = f.after(ctx, after, r.cfg.PageSize)
		}
		rows = next
	}
	if err != nil {
		send(page{err: err})
	}
}

// readPage looks up what belongs to the rows of a page. With an index the next rows are part of the same question, and
// known after it. Without one they may take too long, which must not hold up these.
func (r *reader) readPage(ctx context.Context, conn source.Conn, f follower, rows []outcome.Outcome, now time.Time) (p page, next []outcome.Outcome, known bool) {
	p.rows = rows
	if p.err = r.enricher.Name(ctx, conn, rows, now); p.err != nil || !f.details {
		return p, nil, false
	}
	runs := enrich.RunsOf(rows, func(run *source.Run) bool { return outcome.HasEnded(run) || f.isStuck(run, now) })
	switch {
	case len(runs) == 0:
		return p, nil, false
	case f.indexed && len(rows) == r.cfg.PageSize:
		var found []source.Run
		p.details.AppLogs, p.details.Nodes, found, p.err = conn.DetailsAndRunsAfter(ctx, runs, rows[len(rows)-1].Position(), r.cfg.PageSize)
		return p, outcome.FromRuns(found), true
	default:
		p.details.AppLogs, p.details.Nodes, p.err = conn.Details(ctx, runs)
		return p, nil, false
	}
}

// load loads so much of the ledger as the rows need.
func (r *reader) load(ctx context.Context, t *tail, rows []outcome.Outcome) error {
	first := slices.IndexFunc(rows, func(o outcome.Outcome) bool { return t.covers(o.CreatedAt) })
	if first < 0 {
		return nil
	}
	return t.processed.load(ctx, r.client, minutesOf(rows[first:], func(o *outcome.Outcome) time.Time { return o.CreatedAt })...)
}
