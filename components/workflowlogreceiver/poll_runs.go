// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/checkpoint"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/enrich"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// pagesAhead is how many pages may wait for the pipeline, in addition to the one that is being read.
const pagesAhead = 2

// tablePoll is one poll of a table that is followed in the order of time: workflow_runs or messages.
type tablePoll struct {
	poller *poller
	conn   source.Conn
	now    time.Time // by the database's clock, as the table shows it
	utc    time.Time

	tail  *tracker.Tail
	table source.Table
	kind  checkpoint.Kind
	// indexed is whether the order of time has an index. Without one, only what is needed at once is read.
	indexed bool
	// details is whether other tables have rows that belong to this table's rows.
	details bool
	after   func(context.Context, source.Position, int) ([]outcome.Outcome, error)
	byID    func(context.Context, []string) ([]outcome.Outcome, error)
	process func(context.Context, tracker.Batch) error
}

func (p *poller) runs(conn source.Conn, clock source.Clock) *tablePoll {
	return &tablePoll{
		poller: p, conn: conn, now: clock.UTC, utc: clock.UTC,
		tail: p.saver.state.Runs, table: source.Runs, kind: checkpoint.Runs, indexed: p.schema.RunsByTime, details: true,
		process: p.processor.processRuns,
		after: func(ctx context.Context, after source.Position, limit int) ([]outcome.Outcome, error) {
			runs, err := conn.RunsAfter(ctx, after, limit)
			return outcome.FromRuns(runs), err
		},
		byID: func(ctx context.Context, ids []string) ([]outcome.Outcome, error) {
			runs, err := conn.Runs(ctx, ids)
			return outcome.FromRuns(runs), err
		},
	}
}

func (p *poller) messages(conn source.Conn, clock source.Clock) *tablePoll {
	state := p.saver.state
	state.Messages.LowerStart(state.Start.UTC.Add(clock.Local.Sub(clock.UTC)))
	return &tablePoll{
		poller: p, conn: conn, now: clock.Local, utc: clock.UTC,
		tail: p.saver.state.Messages, table: source.Messages, kind: checkpoint.Messages, indexed: p.schema.MessagesByTime,
		process: p.processor.processMessages,
		after: func(ctx context.Context, after source.Position, limit int) ([]outcome.Outcome, error) {
			messages, err := conn.MessagesAfter(ctx, after, limit)
			return outcome.FromMessages(messages), err
		},
		byID: func(ctx context.Context, ids []string) ([]outcome.Outcome, error) {
			messages, err := conn.Messages(ctx, ids)
			return outcome.FromMessages(messages), err
		},
	}
}

// poll reads first the open rows, then late ones, then new ones.
func (t *tablePoll) poll(ctx context.Context) error {
	if err := t.readOpen(ctx); err != nil {
		return err
	}
	if err := t.readLate(ctx); err != nil {
		return err
	}
	return t.readNew(ctx)
}

func (t *tablePoll) readOpen(ctx context.Context) error {
	for ids := range slices.Chunk(t.tail.Open.Due(t.now), t.poller.cfg.PageSize) {
		found, err := t.read(ctx, ids)
		if err != nil {
			return err
		}
		if err := t.process(ctx, t.tail.SortVisited(ids, found, t.now)); err != nil {
			return err
		}
	}
	return nil
}

// read returns rows by ID, with the related values of other tables.
func (t *tablePoll) read(ctx context.Context, ids []string) ([]outcome.Outcome, error) {
	rows, err := t.byID(ctx, ids)
	if err != nil {
		return nil, err
	}
	if err = t.poller.enricher.Name(ctx, t.conn, rows, t.utc); err != nil || !t.details {
		return rows, err
	}
	if failed := t.readPauses(ctx, rows, t.tail.Open.Pause); failed != nil {
		return nil, failed
	}
	runs := enrich.RunsOf(rows, func(run *outcome.Outcome) bool { return t.tail.NeedsDetails(run, t.now) })
	if len(runs) == 0 {
		return rows, nil
	}
	details, err := t.conn.Details(ctx, runs)
	if err != nil {
		return nil, err
	}
	t.fill(ctx, rows, details)
	return rows, nil
}

func (t *tablePoll) fill(ctx context.Context, rows []outcome.Outcome, d source.Details) {
	if t.details {
		t.poller.telemetry.WorkflowLogUsageUnreadable.Add(ctx, int64(enrich.Fill(d, rows)))
	}
}

// page is some rows in order, with the rows that belong to them, or the reason why there are none.
type page struct {
	rows    []outcome.Outcome
	details source.Details
	err     error
}

// readNew reads the rows after the position. While the pipeline accepts one page, the next ones are read.
func (t *tablePoll) readNew(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan page, pagesAhead)
	go t.readAhead(ctx, t.tail.Position, pages)
	defer func() {
		cancel()
		for range pages { // the connection is free when the channel is closed
		}
	}()
	for page := range pages {
		if page.err != nil {
			return page.err
		}
		t.fill(ctx, page.rows, page.details)
		if err := t.loadProcessed(ctx, page.rows); err != nil {
			return err
		}
		if err := t.process(ctx, t.tail.SortPage(page.rows, t.now)); err != nil {
			return err
		}
		saved, err := t.poller.saver.saveIfDue(ctx)
		if err != nil {
			return err
		}
		if saved {
			t.poller.succeeded(ctx)
		}
	}
	return ctx.Err()
}

// readAhead sends page after page until there are no more rows. It uses nothing that processing a page changes, and
// does only what needs the connection, so that the database is soon busy again.
func (t *tablePoll) readAhead(ctx context.Context, after source.Position, pages chan<- page) {
	defer close(pages)
	send := func(p page) bool {
		select {
		case pages <- p:
			return p.err == nil
		case <-ctx.Done():
			return false
		}
	}
	rows, err := t.after(ctx, after, t.poller.cfg.PageSize)
	for err == nil && len(rows) > 0 {
		p, next, known := t.readPage(ctx, rows)
		more, after := len(rows) == t.poller.cfg.PageSize, rows[len(rows)-1].Position()
		if !send(p) || !more {
			return
		}
		if !known {
			next, err = t.after(ctx, after, t.poller.cfg.PageSize)
		}
		rows = next
	}
	if err != nil {
		send(page{err: err})
	}
}

// readPage reads the rows that belong to the rows of a page. With an index the next page is part of the same request,
// and known is true. Without one the next page may take too long, which must not delay this one.
func (t *tablePoll) readPage(
	ctx context.Context, rows []outcome.Outcome,
) (p page, next []outcome.Outcome, known bool) {
	p.rows = rows
	if p.err = t.poller.enricher.Name(ctx, t.conn, rows, t.utc); p.err != nil || !t.details {
		return p, nil, false
	}
	if p.err = t.readPauses(ctx, rows, nil); p.err != nil {
		return p, nil, false
	}
	runs := enrich.RunsOf(rows, func(run *outcome.Outcome) bool {
		return outcome.HasEnded(&run.Run) || t.tail.IsOverdue(run, t.now)
	})
	switch {
	case len(runs) == 0:
		return p, nil, false
	case t.indexed && len(rows) == t.poller.cfg.PageSize:
		var found []source.Run
		p.details, found, p.err = t.conn.DetailsAndRunsAfter(
			ctx, runs, rows[len(rows)-1].Position(), t.poller.cfg.PageSize)
		return p, outcome.FromRuns(found), true
	default:
		p.details, p.err = t.conn.Details(ctx, runs)
		return p, nil, false
	}
}

// loadProcessed loads the processed IDs that the rows need.
func (t *tablePoll) loadProcessed(ctx context.Context, rows []outcome.Outcome) error {
	first := slices.IndexFunc(rows, func(o outcome.Outcome) bool { return t.tail.Covers(o.CreatedAt) })
	if first < 0 {
		return nil
	}
	minutes := tracker.MinutesOf(rows[first:], func(o *outcome.Outcome) time.Time { return o.CreatedAt })
	return t.poller.saver.store.LoadProcessed(ctx, t.kind, t.tail.Processed, minutes...)
}

// readPauses sets the pauses of the runs that wait, and of those that have been open for so long that it matters
// whether they have waited. known returns a pause that has been read before; nil: none has.
func (t *tablePoll) readPauses(
	ctx context.Context, rows []outcome.Outcome, known func(id string) (source.Pause, bool),
) error {
	if !t.poller.schema.ReadsPauses() {
		return nil
	}
	var ids []string
	byRun := map[string]*outcome.Outcome{}
	for i := range rows {
		run := &rows[i]
		if !run.IsPaused() && !t.tail.MayBeOverdue(run, t.now) {
			continue
		}
		if known != nil && run.IsPaused() {
			if pause, ok := known(run.ID); ok {
				run.Pause = pause
				continue
			}
		}
		ids = append(ids, run.ID)
		byRun[run.ID] = run
	}
	if len(ids) == 0 {
		return nil
	}
	pauses, err := t.conn.Pauses(ctx, ids)
	if err != nil {
		return err
	}
	for _, pause := range pauses {
		if run := byRun[pause.RunID]; run != nil {
			run.Pause = pause
		}
	}
	return nil
}
