// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/internal/sharedinstance"
)

var capabilities = consumer.Capabilities{MutatesData: true}

// factory shares the state among the pipelines of one processor ID, so that the traces pipeline knows what the metrics
// pipeline learned about a process, and the other way around.
type factory struct {
	states sharedinstance.Map[component.Config, *state]
}

// NewFactory returns the factory of the dify_filter processor.
func NewFactory() processor.Factory {
	f := &factory{}
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithTraces(f.createTraces, metadata.TracesStability),
		processor.WithMetrics(f.createMetrics, metadata.MetricsStability),
		processor.WithLogs(f.createLogs, metadata.LogsStability),
	)
}

func (f *factory) createTraces(
	ctx context.Context,
	set processor.Settings,
	cfg component.Config,
	next consumer.Traces,
) (processor.Traces, error) {
	p, gate, options, err := f.create(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, gated(gate, p.processTraces), options...)
}

func (f *factory) createMetrics(
	ctx context.Context,
	set processor.Settings,
	cfg component.Config,
	next consumer.Metrics,
) (processor.Metrics, error) {
	p, gate, options, err := f.create(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, gated(gate, p.processMetrics), options...)
}

func (f *factory) createLogs(
	ctx context.Context,
	set processor.Settings,
	cfg component.Config,
	next consumer.Logs,
) (processor.Logs, error) {
	p, gate, options, err := f.create(set, cfg)
	if err != nil {
		return nil, err
	}
	logs, err := processorhelper.NewLogs(ctx, set, cfg, next, gated(gate, p.processLogs), options...)
	if err != nil {
		return nil, err
	}
	return &flusher{
		Logs:     logs,
		pending:  p.flushLogs,
		next:     next,
		interval: p.cfg.Logs.JoinWait / 2,
		logger:   set.Logger,
		timeout:  shutdownTimeout,
	}, nil
}

func (f *factory) create(
	set processor.Settings,
	cfg component.Config,
) (*filter, *atomic.Bool, []processorhelper.Option, error) {
	shared, err := f.states.Acquire(cfg, func() (*state, error) { return newState(cfg.(*Config)), nil })
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := newFilter(cfg.(*Config), set, shared)
	if err != nil {
		f.states.Release(cfg)
		return nil, nil, nil, err
	}
	var gate atomic.Bool
	var once sync.Once
	shutdown := func(context.Context) error {
		once.Do(func() {
			p.telemetry.Shutdown()
			f.states.Release(cfg)
		})
		return nil
	}
	start := func(context.Context, component.Host) error {
		gate.Store(true)
		return nil
	}
	return p, &gate, []processorhelper.Option{
		processorhelper.WithCapabilities(capabilities),
		processorhelper.WithStart(start),
		processorhelper.WithShutdown(shutdown),
	}, nil
}

// errNotStarted is retryable: receivers ask their clients to try again.
var errNotStarted = errors.New("dify_filter: the pipeline has not started yet")

// gated rejects data that arrives before Start. A receiver of several signals accepts all of them as soon as its first
// pipeline has started (open-telemetry/opentelemetry-collector#15495). The exporters that follow this processor may
// not have started then, and a persistent queue panics when it is offered data too early. The collector starts them
// before this processor.
func gated[T any](gate *atomic.Bool, process func(context.Context, T) (T, error)) func(context.Context, T) (T, error) {
	return func(ctx context.Context, data T) (T, error) {
		if !gate.Load() {
			return data, errNotStarted
		}
		return process(ctx, data)
	}
}
