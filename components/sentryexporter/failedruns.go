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

// addFailedRun stores the event of a failed run until it is clear that no exception of the run is reported.
func (s *sharedState) addFailedRun(ctx context.Context, it *item.Item) error {
	if s.seen.Contains(it.ID, s.now()) {
		s.counters.DiscardedItems(ctx, item.ReasonDuplicate, it)
		return nil
	}
	switch s.failedRuns.Add(ctx, it, s.now().Add(s.cfg.RunWindow)) {
	case failedruns.Superseded:
		s.counters.DiscardedItems(ctx, item.ReasonRunSuperseded, it)
		return nil
	case failedruns.Pending:
		s.seen.Add(it.ID, s.now())
		select {
		case s.wake <- struct{}{}:
		default:
		}
		return nil
	default:
		return s.queueEvents(ctx, []*item.Item{it})
	}
}

// supersede discards the events of failed runs, pending and future ones, of which an exception is reported.
func (s *sharedState) supersede(ctx context.Context, runs []string) {
	released, err := s.failedRuns.Supersede(ctx, s.now(), runs...)
	if err != nil {
		s.logger.Warn(
			"The list of runs whose exception was sent could not be stored. After a restart, their failures may be "+
				"reported twice.",
			zap.Error(err),
		)
	}
	s.counters.DiscardedItems(ctx, item.ReasonRunSuperseded, released...)
}

// sendDueRuns queues the events of failed runs when they are due, until the shutdown.
func (s *sharedState) sendDueRuns() {
	for {
		timer := s.untilDue()
		select {
		case <-s.stop:
			timer.Stop()
			return
		case <-s.wake:
		case <-timer.C:
			s.sendRuns(s.pusher.Closing(), s.failedRuns.Due(s.now()))
		}
		timer.Stop()
	}
}

func (s *sharedState) untilDue() *time.Timer {
	wait := time.Minute // or until wake
	if next, ok := s.failedRuns.NextDue(); ok {
		wait = max(next.Sub(s.now()), 0)
	}
	return time.NewTimer(wait)
}

// sendRuns queues the events of failed runs that nothing superseded. Those that find no room stay pending.
func (s *sharedState) sendRuns(ctx context.Context, items []*item.Item) {
	if len(items) == 0 {
		return
	}
	dropped, _, err := s.errors.Queue(ctx, s.withDestination(ctx, items))
	if err != nil { // counted by the pusher; there is no client that could send again
		s.logger.Warn("A failed run could not be queued for Sentry.", zap.Error(err))
	}
	s.failedRuns.Postpone(dropped, s.now().Add(max(s.cfg.RunWindow, time.Second)))
	queued := slices.DeleteFunc(items, func(it *item.Item) bool { return slices.Contains(dropped, it) })
	if err := s.failedRuns.Remove(ctx, queued); err != nil {
		s.logger.Warn("Failed runs that were queued could not be removed from the storage. They will be sent again after a "+
			"restart, under the same event ID.", zap.Error(err))
	}
}

// sendAllRuns queues everything that is pending in memory at a shutdown, and counts what finds no room.
func (s *sharedState) sendAllRuns(ctx context.Context) {
	all := s.now().Add(s.cfg.RunWindow + time.Hour)
	s.sendRuns(ctx, s.failedRuns.Due(all))
	s.counters.DiscardedItems(ctx, item.ReasonQueueFull, s.failedRuns.Due(all)...)
}
