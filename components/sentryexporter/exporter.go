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

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// releasedTogether bounds the parts of traces in one request of the queue.
const releasedTogether = 100

// sentryExporter is the instance of one signal: it converts on arrival and hands errors to the hub's queues, transactions
// or logs to its own.
type sentryExporter struct {
	shared *sharedState
	queues *queues

	begin sync.Once
	stop  chan struct{}
	done  sync.WaitGroup

	end    sync.Once
	endErr error
}

func newExporter(h *sharedState, q *queues) *sentryExporter {
	return &sentryExporter{shared: h, queues: q, stop: make(chan struct{})}
}

func (*sentryExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (e *sentryExporter) Start(ctx context.Context, host component.Host) error {
	if err := e.shared.start(ctx, host); err != nil {
		return err
	}
	if err := e.queues.Start(ctx, host); err != nil {
		return err
	}
	if e.queues.kind == kindTransactions && e.shared.cfg.RootWait > 0 {
		e.begin.Do(func() { e.done.Go(e.releaseDue) })
	}
	return nil
}

// Shutdown ends the queues first: what they still send needs the hub. What waits for its root goes into the queues before.
func (e *sentryExporter) Shutdown(ctx context.Context) error {
	e.end.Do(func() {
		e.shared.beginShutdown()
		close(e.stop)
		e.done.Wait()
		if e.queues.kind == kindTransactions {
			e.releaseAll(ctx)
		}
		e.endErr = errors.Join(e.queues.Shutdown(ctx), e.shared.shutdown(ctx))
	})
	return e.endErr
}

// releaseDue sends spans that waited for their root in vain, until the end.
func (e *sentryExporter) releaseDue() {
	for {
		timer := time.NewTimer(e.shared.pending.next(e.shared.now()))
		select {
		case <-e.stop:
			timer.Stop()
			return
		case <-timer.C:
			c := newConversion(e.shared.pusher.closing, e.shared)
			c.release(e.shared.pending.due(e.shared.now(), releasedTogether))
			if err := e.hand(c); err != nil { // counted by the pusher; nobody upstream to ask
				e.shared.logger.Warn("Pending spans could not be queued for Sentry.", zap.Error(err))
			}
		}
	}
}

// releaseAll hands everything that waits to the queues, as long as there is time; what is left then is counted.
func (e *sentryExporter) releaseAll(ctx context.Context) {
	for {
		parts := e.shared.pending.first(releasedTogether)
		if len(parts) == 0 {
			return
		}
		c := newConversion(ctx, e.shared)
		if e.shared.pusher.closing.Err() != nil {
			c.discard(item.ReasonBufferFull, item.Route{}, protocol.CategorySpan, spansOf(parts))
			continue
		}
		c.release(parts)
		if err := e.hand(c); err != nil {
			e.shared.logger.Warn("Pending spans could not be queued for Sentry.", zap.Error(err))
		}
	}
}

func (e *sentryExporter) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	c := newConversion(ctx, e.shared)
	c.traces(td)
	return e.hand(c)
}

func (e *sentryExporter) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	c := newConversion(ctx, e.shared)
	c.logs(ld)
	return e.hand(c)
}

// hand puts what was converted into the queues. Errors go first: they matter most and never wait.
func (e *sentryExporter) hand(c *conversion) error {
	err := e.shared.accept(c.ctx, c.events)
	e.shared.supersede(c.ctx, c.superseded)
	for _, run := range c.runs {
		err = errors.Join(err, e.shared.fail(c.ctx, run))
	}
	_, giveErr := e.shared.give(c.ctx, e.queues, c.rest)
	if err = errors.Join(err, giveErr); err != nil {
		e.shared.seen.forget(c.pushed...)
	}
	return err
}

// offExporter takes everything and sends nothing.
type offExporter struct {
	component.ShutdownFunc
	logger *zap.Logger
}

func (*offExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (o *offExporter) Start(context.Context, component.Host) error {
	o.logger.Info("Sentry is disabled: `dsn` is empty.")
	return nil
}

func (*offExporter) ConsumeTraces(context.Context, ptrace.Traces) error { return nil }
func (*offExporter) ConsumeLogs(context.Context, plog.Logs) error       { return nil }
