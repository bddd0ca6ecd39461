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

// follower is what differs between the two tables that are followed in the order of time.
type follower struct {
	*tail
	table source.Table
	// indexed says whether that order has an index. Without one, only what is needed at once is read.
	indexed bool
	after   func(context.Context, source.Position, int) ([]outcome.Outcome, error)
	byID    func(context.Context, []string) ([]outcome.Outcome, error)
	// details says whether other tables have more to tell.
	details bool
	process func(context.Context, batch) error
}

func (r *reader) runs(conn source.Conn) follower {
	return follower{
		tail: r.state.runs, table: source.Runs, indexed: r.schema.RunsByTime, details: true, process: r.processRuns,
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

func (r *reader) messages(conn source.Conn) follower {
	return follower{
		tail: r.state.messages, table: source.Messages, indexed: r.schema.MessagesByTime, process: r.processMessages,
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
	if err := r.findMissingRuns(ctx, conn, now); err != nil {
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
	return r.schema.MessagesByTime || now.Sub(r.messagesRead) >= unindexedInterval
}

// follow reads first the open rows, then late ones, then new ones.
func (r *reader) follow(ctx context.Context, conn source.Conn, f follower, now time.Time) error {
	if err := r.visitOpen(ctx, conn, f, now); err != nil {
		return err
	}
	if err := r.readLate(ctx, conn, f, now); err != nil {
		return err
	}
	return r.readNew(ctx, conn, f, now)
}

func (r *reader) visitOpen(ctx context.Context, conn source.Conn, f follower, now time.Time) error {
	for ids := range slices.Chunk(f.due(now), r.cfg.PageSize) {
		found, err := f.byID(ctx, ids)
		if err != nil {
			return err
		}
		if err := r.complete(ctx, conn, f, found, now); err != nil {
			return err
		}
		if err := f.process(ctx, f.sortVisited(ids, found, now)); err != nil {
			return err
		}
	}
	return nil
}

// complete looks up what other tables know of the rows.
func (r *reader) complete(ctx context.Context, conn source.Conn, f follower, rows []outcome.Outcome, now time.Time) error {
	if err := r.enricher.Name(ctx, conn, rows, now); err != nil || !f.details {
		return err
	}
	runs := enrich.RunsOf(rows, func(run *source.Run) bool { return f.needsDetails(run, now) })
	if len(runs) == 0 {
		return nil
	}
	appLogs, nodes, err := conn.Details(ctx, runs)
	if err != nil {
		return err
	}
	r.fill(ctx, f, rows, enrich.Details{AppLogs: appLogs, Nodes: nodes})
	return nil
}

// fill takes over what was found.
func (r *reader) fill(ctx context.Context, f follower, rows []outcome.Outcome, d enrich.Details) {
	if f.details {
		r.telemetry.WorkflowLogUsageUnreadable.Add(ctx, int64(d.Fill(rows)))
	}
}

// count takes the census of the runs that are too old to be told.
func (r *reader) count(ctx context.Context, conn source.Conn, now time.Time) error {
	if !r.schema.RunsByTime {
		return nil
	}
	c := r.state.audit
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
