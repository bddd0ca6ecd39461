// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.uber.org/zap"
)

// flushing sends on what the joiner holds: in time while it runs, and all of it on Shutdown, when the exporters behind it
// still run. What is refused is kept until it is taken; meanwhile nothing else is flushed.
type flushing struct {
	processor.Logs
	flushes func(ctx context.Context, all bool) (plog.Logs, error)
	next    consumer.Logs
	every   time.Duration
	logger  *zap.Logger

	patience time.Duration // with what comes next, on Shutdown

	cancel  context.CancelFunc
	running sync.WaitGroup
	refused *plog.Logs // was processed and not taken; only the loop and then Shutdown touch it
}

// lastFlush is half of the time that Docker gives a container to end.
const lastFlush = 5 * time.Second

// Start starts the loop.
func (p *flushing) Start(ctx context.Context, host component.Host) error {
	if err := p.Logs.Start(ctx, host); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx)) // Start's own ends with it
	p.cancel = cancel
	p.running.Go(func() { p.loop(running) })
	return nil
}

// Shutdown sends on what is left, once. The collector's own context has no deadline, and a full queue that makes its senders
// wait may not drain any more: what stands behind in the order of shutdown must still be stopped properly.
func (p *flushing) Shutdown(ctx context.Context) error {
	var err error
	if p.cancel != nil {
		p.cancel()
		p.running.Wait()
		p.cancel = nil
		last, cancel := context.WithTimeout(ctx, p.patience)
		err = p.flushLast(last)
		cancel()
	}
	return errors.Join(err, p.Logs.Shutdown(ctx))
}

func (p *flushing) flushLast(ctx context.Context) error {
	ld, err := p.flushes(ctx, true)
	if p.refused != nil {
		ld.ResourceLogs().MoveAndAppendTo(p.refused.ResourceLogs())
		ld, err = *p.refused, nil
	}
	if errors.Is(err, processorhelper.ErrSkipProcessingData) {
		return nil
	}
	if err = p.send(ctx, ld); err != nil {
		p.logger.Error("Log records that were held for the lines below them were not taken on shutdown. They are lost.",
			zap.Int("records", ld.LogRecordCount()), zap.Error(err))
	}
	return err
}

func (p *flushing) loop(ctx context.Context) {
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if p.resend(ctx) == nil {
			_ = p.flush(ctx) // what is refused is kept, and sent again
		}
	}
}

func (p *flushing) resend(ctx context.Context) error {
	if p.refused == nil {
		return nil
	}
	return p.send(ctx, *p.refused)
}

func (p *flushing) flush(ctx context.Context) error {
	ld, err := p.flushes(ctx, false)
	if errors.Is(err, processorhelper.ErrSkipProcessingData) {
		return nil
	}
	return p.send(ctx, ld)
}

func (p *flushing) send(ctx context.Context, ld plog.Logs) error {
	p.refused = nil
	err := p.next.ConsumeLogs(ctx, ld)
	switch {
	case err == nil:
	case consumererror.IsPermanent(err):
		p.logger.Error("Log records were refused for good by what comes next. They are lost.",
			zap.Int("records", ld.LogRecordCount()), zap.Error(err))
	default:
		p.refused = &ld
		return err
	}
	return nil
}
