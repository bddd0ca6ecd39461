// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/counting"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction/quotation"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/spanrepair"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/workflowrun"
	"github.com/otelcol-dify/otelcol-dify/components/internal/appowner"
)

// state has the parts of the processor with state from earlier batches, which the pipelines of one processor ID share.
// Each part has its own cache and lock. All of the state is bounded, expires and may be lost: a batch that is complete
// in itself is repaired without it.
type state struct {
	now       func() time.Time
	roles     *identity.RoleCache
	processes *identity.Processes
	runSpans  *identity.RunSpans
	once      *counting.Once
	nodes     *spanrepair.NodeStatus
	runs      *workflowrun.Linker
	requests  *workflowrun.Requests
	pruner    *noise.Pruner
	written   *quotation.Memory
}

func newState(cfg *Config) *state {
	return &state{
		now:       time.Now,
		roles:     identity.NewRoleCache(cfg.Memory.MaxProcesses, cfg.Memory.TTL),
		processes: identity.NewProcesses(cfg.Memory.MaxProcesses, cfg.Memory.TTL),
		runSpans:  identity.NewRunSpans(cfg.Memory.MaxDroppedSpans, cfg.Memory.TTL),
		once:      counting.NewOnce(cfg.Memory.MaxDroppedSpans, cfg.Memory.TTL),
		nodes:     spanrepair.NewNodeStatus(cfg.Memory.MaxProcesses, cfg.Memory.TTL),
		runs: workflowrun.NewLinker(workflowrun.Settings{
			MaxTraces:   cfg.Memory.MaxTraces,
			MaxApps:     cfg.Memory.MaxProcesses,
			TTL:         cfg.Memory.TTL,
			WholeTraces: cfg.WholeTraces,
			Owner:       appowner.Database.Tenant,
		}),
		requests: workflowrun.NewRequests(cfg.Memory.MaxProcesses, cfg.Memory.TTL),
		pruner:   noise.NewPruner(noise.NewMatcher(noiseSettings(&cfg.Drop)), cfg.Memory.MaxDroppedSpans, cfg.Memory.TTL),
		written:  quotation.NewMemory(),
	}
}
