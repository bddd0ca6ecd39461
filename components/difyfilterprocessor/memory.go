// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"sync"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/workflowrun"
)

// memory is the state from earlier batches. All of it is bounded, expires and may be lost: a batch that is complete in
// itself is repaired without it.
type memory struct {
	now   func() time.Time
	roles *identity.RoleCache

	runs *workflowrun.Linker

	mu      sync.Mutex                               // guards dropped
	dropped *generations[attrs.SpanKey, droppedSpan] // where the children of a dropped span belong
}

func newMemory(all *Config) *memory {
	cfg := all.Memory
	return &memory{
		now:   time.Now,
		roles: identity.NewRoleCache(cfg.MaxProcesses, cfg.TTL),
		runs: workflowrun.NewLinker(workflowrun.Settings{
			MaxTraces: cfg.MaxTraces, MaxApps: cfg.MaxProcesses, TTL: cfg.TTL, WholeTraces: all.WholeTraces,
		}),
		dropped: newGenerations[attrs.SpanKey, droppedSpan](cfg.MaxDroppedSpans, cfg.TTL),
	}
}

// generations is a map that forgets. It holds at most limit entries, none if that is 0, and an entry at least ttl
// after its last use, unless limit/2 others were used since. Two plain maps do that without a list and without a goroutine: the older one
// is thrown away whole.
type generations[K comparable, V any] struct {
	limit    int
	ttl      time.Duration
	began    time.Time
	current  map[K]V
	previous map[K]V
}

func newGenerations[K comparable, V any](limit int, ttl time.Duration) *generations[K, V] {
	return &generations[K, V]{limit: min(limit, max(1, limit/2)), ttl: ttl, current: map[K]V{}}
}

func (g *generations[K, V]) get(key K, now time.Time) (V, bool) {
	g.age(now)
	if v, ok := g.current[key]; ok {
		return v, true
	}
	v, ok := g.previous[key]
	if ok {
		g.set(key, v, now)
	}
	return v, ok
}

func (g *generations[K, V]) set(key K, value V, now time.Time) {
	if g.limit == 0 {
		return
	}
	g.age(now)
	if _, ok := g.current[key]; !ok && len(g.current) >= g.limit {
		g.turn(now)
	}
	g.current[key] = value
}

func (g *generations[K, V]) empty() bool {
	return len(g.current) == 0 && len(g.previous) == 0
}

func (g *generations[K, V]) age(now time.Time) {
	if len(g.current) == 0 && g.previous == nil {
		g.began = now
		return
	}
	age := now.Sub(g.began)
	if age < g.ttl {
		return
	}
	g.turn(now)
	if age >= 2*g.ttl {
		g.previous = nil
	}
}

func (g *generations[K, V]) turn(now time.Time) {
	g.previous, g.current, g.began = g.current, make(map[K]V), now
}
