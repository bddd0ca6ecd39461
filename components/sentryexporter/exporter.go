// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/delivery"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// maxReleased bounds the parts of traces in one request of the queue.
const maxReleased = 100

// sentryExporter is the instance of one signal. It converts telemetry when it arrives, and puts errors into the shared
// queues and transactions or logs into its own.
type sentryExporter struct {
	shared *sharedState
	queues *delivery.Queues

	begin sync.Once
	stop  chan struct{}
	done  sync.WaitGroup

	end    sync.Once
	endErr error
}

func newExporter(s *sharedState, q *delivery.Queues) *sentryExporter {
	return &sentryExporter{shared: s, queues: q, stop: make(chan struct{})}
}

// Capabilities reports that the exporter does not change data.
func (*sentryExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Start starts the shared state, if this is the first instance, and the queues.
func (e *sentryExporter) Start(ctx context.Context, host component.Host) error {
	if err := e.shared.start(ctx, host); err != nil {
		return err
	}
	if err := e.queues.Start(ctx, host); err != nil {
		return err
	}
	if e.hasPending() && e.shared.cfg.RootWait > 0 {
		e.begin.Do(func() { e.done.Go(e.releaseDue) })
	}
	return nil
}

// Shutdown moves pending spans to the queues, then ends the queues, and then the shared state, which the queues need.
func (e *sentryExporter) Shutdown(ctx context.Context) error {
	e.end.Do(func() {
		e.shared.pusher.BeginShutdown()
		close(e.stop)
		e.done.Wait()
		if e.hasPending() {
			e.releaseAll(ctx)
		}
		e.endErr = errors.Join(e.queues.Shutdown(ctx), e.shared.shutdown(ctx))
	})
	return e.endErr
}

func (e *sentryExporter) hasPending() bool { return e.queues.Kind() == delivery.KindTransactions }

// ConsumeTraces queues the errors and transactions of a push. It returns an error only if the client should send again.
func (e *sentryExporter) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	return e.queue(ctx, e.shared.convertTraces(td))
}

// ConsumeLogs queues the errors and logs of a push. It returns an error only if the client should send again.
func (e *sentryExporter) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	return e.queue(ctx, e.shared.convertLogs(ld))
}

// queue puts what a push became into the queues. Errors are first: they matter most.
func (e *sentryExporter) queue(ctx context.Context, p *conversion) error {
	s := e.shared
	s.counters.Discarded(ctx, p.Discards...)
	err := s.queueEvents(ctx, p.Events)
	s.waiting.supersede(ctx, p.Superseded)
	s.waiting.handled(ctx, p.handled...)
	for _, it := range p.Waiting {
		err = errors.Join(err, s.waiting.add(ctx, it))
	}
	_, itemsErr := s.queueItems(ctx, e.queues, p.Items)
	if err = errors.Join(err, itemsErr); err != nil {
		s.seen.ForgetIDs(p.spanIDs...)
	}
	return err
}

// releaseDue sends spans whose root did not come in time, until the shutdown.
func (e *sentryExporter) releaseDue() {
	for {
		timer := time.NewTimer(e.shared.pending.UntilDue(e.shared.now()))
		select {
		case <-e.stop:
			timer.Stop()
			return
		case <-timer.C:
			p := e.shared.newConversion()
			p.release(e.shared.pending.Due(e.shared.now(), maxReleased))
			e.queueReleased(e.shared.pusher.Closing(), p)
		}
	}
}

// releaseAll moves all pending spans to the queues while there is time, and counts what is left then.
func (e *sentryExporter) releaseAll(ctx context.Context) {
	for {
		parts := e.shared.pending.First(maxReleased)
		if len(parts) == 0 {
			return
		}
		p := e.shared.newConversion()
		if e.shared.pusher.Closing().Err() != nil {
			for _, part := range parts {
				p.Discard(item.ReasonBufferFull, item.Route{}, protocol.CategorySpan, part.Spans())
			}
		} else {
			p.release(parts)
		}
		e.queueReleased(ctx, p)
	}
}

func (e *sentryExporter) queueReleased(ctx context.Context, p *conversion) {
	if err := e.queue(ctx, p); err != nil { // counted by the pusher; there is no client that could send again
		e.shared.logger.Warn("Pending spans could not be queued for Sentry.", zap.Error(err))
	}
}

// disabledExporter accepts everything and sends nothing.
type disabledExporter struct {
	component.ShutdownFunc
	logger *zap.Logger
}

// Capabilities reports that the exporter does not change data.
func (*disabledExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Start logs that nothing is sent.
func (d *disabledExporter) Start(context.Context, component.Host) error {
	d.logger.Info("Sentry is disabled: `dsn` is empty.")
	return nil
}

// ConsumeTraces does nothing.
func (*disabledExporter) ConsumeTraces(context.Context, ptrace.Traces) error { return nil }

// ConsumeLogs does nothing.
func (*disabledExporter) ConsumeLogs(context.Context, plog.Logs) error { return nil }
