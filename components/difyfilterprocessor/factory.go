// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
)

var capabilities = consumer.Capabilities{MutatesData: true}

// factory shares one memory among the pipelines of one processor id, so that what traces tell of a process is known
// where its metrics pass.
type factory struct {
	mu     sync.Mutex // guards shared
	shared map[component.Config]*lease
}

type lease struct {
	memory *memory
	users  int
}

// NewFactory returns the factory of the dify_filter processor.
func NewFactory() processor.Factory {
	f := &factory{shared: map[component.Config]*lease{}}
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithTraces(f.createTraces, metadata.TracesStability),
		processor.WithMetrics(f.createMetrics, metadata.MetricsStability),
		processor.WithLogs(f.createLogs, metadata.LogsStability),
	)
}

func (f *factory) createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	p, options, err := f.create(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, p.processTraces, options...)
}

func (f *factory) createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	p, options, err := f.create(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, p.processMetrics, options...)
}

func (f *factory) createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	p, options, err := f.create(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewLogs(ctx, set, cfg, next, p.processLogs, options...)
}

func (f *factory) create(set processor.Settings, cfg component.Config) (*filter, []processorhelper.Option, error) {
	p, err := newFilter(cfg.(*Config), set, f.acquire(cfg))
	if err != nil {
		f.release(cfg)
		return nil, nil, err
	}
	var once sync.Once
	shutdown := func(context.Context) error {
		once.Do(func() {
			p.telemetry.Shutdown()
			f.release(cfg)
		})
		return nil
	}
	return p, []processorhelper.Option{
		processorhelper.WithCapabilities(capabilities),
		processorhelper.WithShutdown(shutdown),
	}, nil
}

func (f *factory) acquire(cfg component.Config) *memory {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.shared[cfg]
	if !ok {
		l = &lease{memory: newMemory(cfg.(*Config).Memory)}
		f.shared[cfg] = l
	}
	l.users++
	return l.memory
}

func (f *factory) release(cfg component.Config) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.shared[cfg]
	l.users--
	if l.users == 0 {
		delete(f.shared, cfg)
	}
}
