// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/failedruns"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// failedRuns sends the events of failed runs of which no exception is reported, when they are due.
type failedRuns struct {
	store  *failedruns.Store
	shared *sharedState
	wake   chan struct{} // a failed run became pending
}

func newFailedRuns(s *sharedState) *failedRuns {
	return &failedRuns{store: &failedruns.Store{}, shared: s, wake: make(chan struct{}, 1)}
}

// add stores the event of a failed run until it is clear that no exception of the run is reported.
func (f *failedRuns) add(ctx context.Context, it *item.Item) error {
	if f.shared.seen.Contains(it.ID, f.shared.now()) {
		f.shared.counters.DiscardedItems(ctx, item.ReasonDuplicate, it)
		return nil
	}
	switch f.store.Add(ctx, it, f.shared.now().Add(f.shared.cfg.RunWindow)) {
	case failedruns.Superseded:
		f.shared.counters.DiscardedItems(ctx, item.ReasonRunSuperseded, it)
		return nil
	case failedruns.Pending:
		f.shared.seen.Add(it.ID, f.shared.now())
		select {
		case f.wake <- struct{}{}:
		default:
		}
		return nil
	default:
		return f.shared.queueEvents(ctx, []*item.Item{it})
	}
}

// supersede discards the events of failed runs, pending and future ones, of which an exception is reported.
func (f *failedRuns) supersede(ctx context.Context, runs []string) {
	released, err := f.store.Supersede(ctx, f.shared.now(), runs...)
	if err != nil {
		f.shared.logger.Warn(
			"The list of runs whose exception was sent could not be stored. After a restart, their failures may be "+
				"reported twice.",
			zap.Error(err),
		)
	}
	f.shared.counters.DiscardedItems(ctx, item.ReasonRunSuperseded, released...)
}

// sendDue queues the events of failed runs when they are due, until the shutdown.
func (f *failedRuns) sendDue() {
	for {
		timer := f.untilDue()
		select {
		case <-f.shared.stop:
			timer.Stop()
			return
		case <-f.wake:
		case <-timer.C:
			f.send(f.shared.pusher.Closing(), f.store.Due(f.shared.now()))
		}
		timer.Stop()
	}
}

func (f *failedRuns) untilDue() *time.Timer {
	wait := time.Minute // or until wake
	if next, ok := f.store.NextDue(); ok {
		wait = max(next.Sub(f.shared.now()), 0)
	}
	return time.NewTimer(wait)
}

// send queues the events of failed runs that nothing superseded. Those that find no room stay pending.
func (f *failedRuns) send(ctx context.Context, items []*item.Item) {
	if len(items) == 0 {
		return
	}
	dropped, _, err := f.shared.errors.Queue(ctx, f.shared.withDestination(ctx, items))
	if err != nil { // counted by the pusher; there is no client that could send again
		f.shared.logger.Warn("A failed run could not be queued for Sentry.", zap.Error(err))
	}
	f.store.Postpone(dropped, f.shared.now().Add(max(f.shared.cfg.RunWindow, time.Second)))
	queued := slices.DeleteFunc(items, func(it *item.Item) bool { return slices.Contains(dropped, it) })
	if err := f.store.Remove(ctx, queued); err != nil {
		f.shared.logger.Warn(
			"Failed runs that were queued could not be removed from the storage. They will be sent again after a "+
				"restart, under the same event ID.",
			zap.Error(err),
		)
	}
}

// sendAll queues everything that is pending in memory at a shutdown, and counts what finds no room.
func (f *failedRuns) sendAll(ctx context.Context) {
	all := f.shared.now().Add(f.shared.cfg.RunWindow + time.Hour)
	f.send(ctx, f.store.Due(all))
	f.shared.counters.DiscardedItems(ctx, item.ReasonQueueFull, f.store.Due(all)...)
}
