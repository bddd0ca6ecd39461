// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/workflowrun"
)

// memory has the parts of the processor with state from earlier batches. Each has its own cache and lock. All of the
// state is bounded, expires and may be lost: a batch that is complete in itself is repaired without it.
type memory struct {
	now     func() time.Time
	roles   *identity.RoleCache
	runs    *workflowrun.Linker
	matcher *noise.Matcher // without state
	pruner  *noise.Pruner
}

func newMemory(cfg *Config) *memory {
	matcher := noise.NewMatcher(noiseSettings(&cfg.Drop))
	return &memory{
		now:   time.Now,
		roles: identity.NewRoleCache(cfg.Memory.MaxProcesses, cfg.Memory.TTL),
		runs: workflowrun.NewLinker(workflowrun.Settings{
			MaxTraces: cfg.Memory.MaxTraces, MaxApps: cfg.Memory.MaxProcesses, TTL: cfg.Memory.TTL, WholeTraces: cfg.WholeTraces,
		}),
		matcher: matcher,
		pruner:  noise.NewPruner(matcher, cfg.Memory.MaxDroppedSpans, cfg.Memory.TTL),
	}
}

func noiseSettings(cfg *DropConfig) noise.Settings {
	set := noise.Settings{
		ParseError: cfg.ParseError, ContextDetach: cfg.ContextDetach, HealthCheck: cfg.HealthCheck,
		BrokerPolling: cfg.BrokerPolling, NoScript: cfg.NoScript, BrokerDatabase: cfg.BrokerDatabase,
	}
	for i := range cfg.Rules {
		r := &cfg.Rules[i]
		set.Rules = append(set.Rules, noise.Rule{
			Name: r.Name, Drops: r.Drops, Errors: r.Errors,
			SpanName: r.SpanName, SpanNameRegexp: r.SpanNameRegexp, SpanKind: r.SpanKind, Root: r.Root,
			EventName: r.EventName, ExceptionType: r.ExceptionType, Text: r.Text, TextRegexp: r.TextRegexp,
			Attributes: r.Attributes, AttributesRegexp: r.AttributesRegexp,
		})
	}
	return set
}
