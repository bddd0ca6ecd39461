// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/known"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/waiting"
)

// waitingErrors sends the errors for which no telemetry came that says more about the same
// failure, when they are due: those of failed runs, of log lines and of client spans.
type waitingErrors struct {
	store  *waiting.Store
	shared *sharedState
	wake   chan struct{} // an error became pending
}

func newWaitingErrors(s *sharedState) *waitingErrors {
	return &waitingErrors{store: &waiting.Store{}, shared: s, wake: make(chan struct{}, 1)}
}

// add stores an error until it is clear that nothing else reports the failure.
func (w *waitingErrors) add(ctx context.Context, it *item.Item) error {
	now := w.shared.now()
	if w.shared.seen.Reported(it, now) {
		if isError(it) {
			w.shared.known.MatchesLine(it, now) // so that no other line matches
		}
		w.shared.counters.DiscardedItems(ctx, item.ReasonDuplicate, it)
		return nil
	}
	switch w.store.Add(ctx, it, now.Add(w.shared.cfg.RunWindow)) {
	case waiting.Superseded:
		w.shared.counters.DiscardedItems(ctx, item.ReasonRunSuperseded, it)
		return nil
	case waiting.Pending:
		if !isError(it) {
			w.shared.seen.Add(it.ID, now)
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
		return nil
	default:
		return w.shared.queueEvents(ctx, []*item.Item{it})
	}
}

// isError reports whether an item is the error of a log line or a client span, not of a run.
func isError(it *item.Item) bool { return strings.HasPrefix(it.Waits, item.WaitsForTrace) }

// supersede discards the errors, pending and future ones, of which another event is reported: those of failed runs, and
// those that the event includes.
func (w *waitingErrors) supersede(ctx context.Context, runs []string, by ...*item.Item) {
	released, err := w.store.Supersede(ctx, w.shared.now(), runs...)
	w.shared.counters.DiscardedItems(ctx, item.ReasonRunSuperseded, released...)
	for _, it := range by {
		duplicates, releaseErr := w.store.Release(ctx, append([]item.ID{it.ID}, it.Relations.Marks...)...)
		w.shared.counters.DiscardedItems(ctx, item.ReasonDuplicate, duplicates...)
		for _, d := range duplicates {
			w.shared.known.MatchesLine(d, w.shared.now())
		}
		err = errors.Join(err, releaseErr)
	}
	w.warn(err)
}

// handled discards the errors of client spans below one of the spans that have an outcome.
func (w *waitingErrors) handled(ctx context.Context, items ...*item.Item) {
	if len(items) == 0 {
		return
	}
	w.warn(w.store.Remove(ctx, items))
	w.shared.counters.DiscardedItems(ctx, item.ReasonHandled, items...)
}

func (w *waitingErrors) warn(err error) {
	if err == nil {
		return
	}
	w.shared.logger.Warn("What was reported could not be stored. After a restart, its failures may be reported twice.",
		zap.Error(err))
}

// sendDue queues errors when they are due, until the shutdown.
func (w *waitingErrors) sendDue() {
	for {
		timer := w.untilDue()
		select {
		case <-w.shared.stop:
			timer.Stop()
			return
		case <-w.wake:
		case <-timer.C:
			w.send(w.shared.pusher.Closing(), w.store.Due(w.shared.now()))
		}
		timer.Stop()
	}
}

func (w *waitingErrors) untilDue() *time.Timer {
	wait := time.Minute // or until wake
	if next, ok := w.store.NextDue(); ok {
		wait = max(next.Sub(w.shared.now()), 0)
	}
	return time.NewTimer(wait)
}

// send queues the errors that nothing superseded. Those that find no room stay pending.
func (w *waitingErrors) send(ctx context.Context, items []*item.Item) {
	items = w.withoutReported(ctx, items)
	if len(items) == 0 {
		return
	}
	dropped, _, err := w.shared.errors.Queue(ctx, w.shared.withDestination(ctx, items))
	if err != nil { // counted by the pusher; there is no client that could send again
		w.shared.logger.Warn("An error could not be queued for Sentry.", zap.Error(err))
	}
	w.store.Postpone(dropped, w.shared.now().Add(max(w.shared.cfg.RunWindow, time.Second)))
	queued := slices.DeleteFunc(items, func(it *item.Item) bool { return slices.Contains(dropped, it) })
	w.shared.seen.Split(slices.Clone(queued), w.shared.now())
	w.shared.known.Reported(w.shared.now(), slices.DeleteFunc(slices.Clone(queued), isRun)...)
	if err := w.store.Remove(ctx, queued); err != nil {
		w.shared.logger.Warn(
			"Errors that were queued could not be removed from the storage. They will be sent again after a restart, "+
				"under the same event ID.",
			zap.Error(err),
		)
	}
}

func isRun(it *item.Item) bool { return !isError(it) }

// rank orders errors by how much they say: those of spans come before those of log lines, and these before those of
// runs.
func rank(it *item.Item) int {
	switch {
	case isRun(it):
		return 2
	case it.Relations.Line:
		return 1
	default:
		return 0
	}
}

// isReportedLine reports whether an error has no trace in common with others, and its failure is that of a span: one
// that was reported, or, for a log line, one that waits as well.
func (w *waitingErrors) isReportedLine(it *item.Item, now time.Time) bool {
	return it.Relations.Traceless && (w.shared.known.MatchesLine(it, now) ||
		it.Relations.Line && w.store.SpanWithText(it.Relations.Text, it.Time, known.SameFailure) != nil)
}

// withoutReported removes the errors whose failure was reported meanwhile, and adds what is known to the others. Errors
// of log lines come before those of runs, which they supersede.
func (w *waitingErrors) withoutReported(ctx context.Context, items []*item.Item) []*item.Item {
	now := w.shared.now()
	var out, duplicates, superseded []*item.Item
	sent := map[*item.Item]bool{}
	slices.SortStableFunc(items, func(a, b *item.Item) int { return cmp.Compare(rank(a), rank(b)) })
	for _, it := range items {
		switch {
		case isRun(it) || sent[it]:
		case w.shared.seen.Reported(it, now), w.isReportedLine(it, now), w.isReportedMessage(it, out, now),
			w.shared.steps.reported(it, now):
			duplicates = append(duplicates, it)
		default:
			w.shared.known.Enrich(w.shared.converter, it, nil, now)
			out, sent[it] = append(out, it), true
		}
	}
	for _, it := range items {
		if !isRun(it) {
			continue
		}
		line := w.store.WithText(it.Relations.Text, it.Time, known.SameFailure)
		switch {
		case w.shared.known.MatchesRun(it, now):
			superseded = append(superseded, it)
		case line != nil && len(line.Supersedes) == 0 && !slices.Contains(duplicates, line):
			line.Supersedes = []string{it.Waits} // it supersedes no other run
			w.shared.known.Enrich(w.shared.converter, line, it, now)
			if superseded = append(superseded, it); !sent[line] {
				out, sent[line] = append(out, line), true
			}
		default:
			w.shared.known.Enrich(w.shared.converter, it, nil, now)
			out = append(out, it)
		}
	}
	if gone := slices.Concat(duplicates, superseded); len(gone) > 0 {
		w.warn(w.store.Remove(ctx, gone))
	}
	w.shared.counters.DiscardedItems(ctx, item.ReasonDuplicate, duplicates...)
	w.shared.counters.DiscardedItems(ctx, item.ReasonRunSuperseded, superseded...)
	return out
}

// isReportedMessage reports whether an error is that of a failed message, of whose request an exception was reported,
// is to be sent, or waits.
func (w *waitingErrors) isReportedMessage(it *item.Item, toSend []*item.Item, now time.Time) bool {
	trace := w.shared.known.TraceOfMessage(it, now)
	return trace != (item.ID{}) && (w.shared.seen.Contains(trace, now) || w.store.InTrace(trace) ||
		slices.ContainsFunc(toSend, func(other *item.Item) bool { return other.Relations.Trace == trace }))
}

// sendAll queues everything that is pending in memory at a shutdown, and counts what finds no room.
func (w *waitingErrors) sendAll(ctx context.Context) {
	all := w.shared.now().Add(w.shared.cfg.RunWindow + time.Hour)
	w.send(ctx, w.store.Due(all))
	w.shared.counters.DiscardedItems(ctx, item.ReasonQueueFull, w.store.Due(all)...)
}
