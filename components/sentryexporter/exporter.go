// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

// sentryExporter is the instance of one signal: it converts on arrival and hands errors to the hub's queue, transactions
// or logs to its own.
type sentryExporter struct {
	hub   *hub
	queue *queue

	end    sync.Once
	endErr error
}

func newExporter(h *hub, q *queue) *sentryExporter { return &sentryExporter{hub: h, queue: q} }

func (*sentryExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (e *sentryExporter) Start(ctx context.Context, host component.Host) error {
	if err := e.hub.start(ctx, host); err != nil {
		return err
	}
	return e.queue.Start(ctx, host)
}

// Shutdown ends the queue first: what it still sends needs the hub.
func (e *sentryExporter) Shutdown(ctx context.Context) error {
	e.end.Do(func() {
		e.hub.beginShutdown()
		e.endErr = errors.Join(e.queue.Shutdown(ctx), e.hub.shutdown(ctx))
	})
	return e.endErr
}

func (e *sentryExporter) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	c := newConversion(ctx, e.hub)
	c.traces(td)
	return e.hand(ctx, c)
}

func (e *sentryExporter) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	c := newConversion(ctx, e.hub)
	c.logs(ld)
	return e.hand(ctx, c)
}

// hand puts what was converted into the queues. Errors go first: they matter most and never wait.
func (e *sentryExporter) hand(ctx context.Context, c *conversion) error {
	err := e.hub.accept(ctx, c.events)
	for _, run := range c.runs {
		err = errors.Join(err, e.hub.fail(ctx, run))
	}
	refused, putErr := e.queue.put(ctx, c.rest)
	if putErr != nil {
		e.hub.forget(c.rest)
		return errors.Join(err, putErr)
	}
	e.hub.forget(refused)
	e.hub.counters.discarded(ctx, reasonQueueFull, refused...)
	return err
}

// offExporter takes everything and sends nothing.
type offExporter struct {
	component.ShutdownFunc
	logger *zap.Logger
}

func (*offExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (o *offExporter) Start(context.Context, component.Host) error {
	o.logger.Info("Sentry is off: `dsn` is empty.")
	return nil
}

func (*offExporter) ConsumeTraces(context.Context, ptrace.Traces) error { return nil }
func (*offExporter) ConsumeLogs(context.Context, plog.Logs) error       { return nil }
