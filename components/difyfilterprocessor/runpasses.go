// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/counting"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/spanrepair"
)

// identifyRuns sets IDs and names on the spans of emitters that have names of their own for them.
func (p *passes) identifyRuns(b *traceBatch) {
	b.shapes = make([][]emitter.Shape, b.td.ResourceSpans().Len())
	for i, rs := range b.td.ResourceSpans().All() {
		b.shapes[i] = make([]emitter.Shape, rs.ScopeSpans().Len())
		for j, ss := range rs.ScopeSpans().All() {
			if b.origins[i].OwnScope(ss.Scope()) {
				b.shapes[i][j] = emitter.Application
			}
			if !emitter.IsCalls(ss.Scope().Name()) || b.origins[i] == emitter.Other {
				p.identifyScope(rs, ss, &b.shapes[i][j], b.now)
			}
		}
	}
}

func (p *passes) identifyScope(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, to *emitter.Shape, now time.Time) {
	shape := emitter.ShapeOf(rs.Resource().Attributes(), ss)
	if shape == emitter.NoShape || shape == emitter.Daemon {
		return
	}
	*to = shape
	identity.SetInstallation(rs.Resource().Attributes(), p.cfg.ServiceNamespace)
	identity.SetRole(rs.Resource().Attributes(), shape.Role())
	identity.SetProjectName(rs.Resource().Attributes(), shape)
	spanrepair.RepairFailures(shape, ss.Spans()) // before the spans have the emitter's name
	p.state.runSpans.Identify(shape, ss, now)
}

// countOnce marks the spans that count a run or the use of a model. Of the emitters of one request, the preferred one
// comes first.
func (p *passes) countOnce(b *traceBatch) {
	for shape := emitter.Trajectory; shape.TellsRuns(); shape++ {
		for i, rs := range b.td.ResourceSpans().All() {
			for j, ss := range rs.ScopeSpans().All() {
				if b.shapes[i][j] == shape {
					p.countScope(shape, ss, b.now)
				}
			}
		}
	}
}

func (p *passes) countScope(shape emitter.Shape, ss ptrace.ScopeSpans, now time.Time) {
	for _, span := range ss.Spans().All() {
		counting.LiftUsage(shape, span)
		p.state.runSpans.Learn(span, now)
	}
	if p.cfg.WholeTraces { // otherwise another processor sees the rest
		p.state.once.Mark(shape, ss.Spans(), now)
	}
}

// readEvents reads the events of the enterprise edition.
func (p *passes) readEvents(b *logBatch) {
	for _, rl := range b.ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				if identity.ReadEvent(record) {
					identity.SetInstallation(rl.Resource().Attributes(), p.cfg.ServiceNamespace)
				}
			}
		}
	}
}
