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

// flusher sends the entries that wait for further lines: periodically, and all of them on Shutdown, when the exporters
// that follow are still running. It keeps a rejected batch until the next component accepts it, and flushes nothing
// else meanwhile.
type flusher struct {
	processor.Logs
	pending  func(ctx context.Context, all bool) (plog.Logs, error)
	next     consumer.Logs
	interval time.Duration
	logger   *zap.Logger

	timeout time.Duration // of the last flush, on Shutdown

	cancel   context.CancelFunc
	running  sync.WaitGroup
	rejected *plog.Logs // processed, but not accepted; only the loop and, after it, Shutdown use it
}

// shutdownTimeout is half of the time that Docker gives a container to stop.
const shutdownTimeout = 5 * time.Second

// Start starts the loop.
func (p *flusher) Start(ctx context.Context, host component.Host) error {
	if err := p.Logs.Start(ctx, host); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the context of Start ends with Start
	p.cancel = cancel
	p.running.Go(func() { p.loop(running) })
	return nil
}

// Shutdown sends what is left, once. It has its own deadline, since the collector's context has none and a full queue
// that blocks its senders may never drain: the components that are stopped after this one must still be stopped.
func (p *flusher) Shutdown(ctx context.Context) error {
	var err error
	if p.cancel != nil {
		p.cancel()
		p.running.Wait()
		p.cancel = nil
		last, cancel := context.WithTimeout(ctx, p.timeout)
		err = p.flushLast(last)
		cancel()
	}
	return errors.Join(err, p.Logs.Shutdown(ctx))
}

func (p *flusher) flushLast(ctx context.Context) error {
	ld, err := p.pending(ctx, true)
	if p.rejected != nil {
		ld.ResourceLogs().MoveAndAppendTo(p.rejected.ResourceLogs())
		ld, err = *p.rejected, nil
	}
	if errors.Is(err, processorhelper.ErrSkipProcessingData) {
		return nil
	}
	if err = p.send(ctx, ld); err != nil {
		p.logger.Error("Log records that waited for further lines were not accepted during shutdown and are lost.",
			zap.Int("records", ld.LogRecordCount()), zap.Error(err))
	}
	return err
}

func (p *flusher) loop(ctx context.Context) {
	ticker := time.NewTicker(p.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if p.resend(ctx) == nil {
			_ = p.flush(ctx) // flusher keeps a rejected batch and sends it again
		}
	}
}

func (p *flusher) resend(ctx context.Context) error {
	if p.rejected == nil {
		return nil
	}
	return p.send(ctx, *p.rejected)
}

func (p *flusher) flush(ctx context.Context) error {
	ld, err := p.pending(ctx, false)
	if errors.Is(err, processorhelper.ErrSkipProcessingData) {
		return nil
	}
	return p.send(ctx, ld)
}

func (p *flusher) send(ctx context.Context, ld plog.Logs) error {
	p.rejected = nil
	err := p.next.ConsumeLogs(ctx, ld)
	switch {
	case err == nil:
	case consumererror.IsPermanent(err):
		p.logger.Error("Log records were permanently rejected by the next component and are lost.",
			zap.Int("records", ld.LogRecordCount()), zap.Error(err))
	default:
		p.rejected = &ld
		return err
	}
	return nil
}
