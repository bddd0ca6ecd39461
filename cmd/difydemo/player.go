// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/testkit/traffic"
)

// leftBehind is the number of tasks in a queue when the traffic ends.
const leftBehind = 7

// player replays the generator's exchanges in real time: rows when a run starts and ends, spans and metrics when their
// processes export them, tasks while they wait.
type player struct {
	generator *traffic.Generator
	rows      *schema.Writer
	queues    *queues
	arrivals  *arrivals
	exporters map[*traffic.Process]*exporter

	// mu guards the fields below.
	mu      sync.Mutex
	emitted traffic.Expected
	err     error
}

func newPlayer(g *traffic.Generator, rows *schema.Writer, q *queues, a *arrivals, url string) *player {
	p := &player{generator: g, rows: rows, queues: q, arrivals: a, exporters: map[*traffic.Process]*exporter{}}
	for _, process := range g.World.Processes() {
		p.exporters[process] = newExporter(process, url)
	}
	return p
}

// play emits at a rate until stop, then waits until everything that has started has ended and is exported.
func (p *player) play(ctx context.Context, rate float64, stop <-chan struct{}) error {
	flush := make(chan struct{})
	var exporting, happening sync.WaitGroup
	for _, e := range p.exporters {
		exporting.Go(func() { e.run(ctx, flush) })
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for playing := true; playing && p.failure() == nil; {
		select {
		case <-tick.C:
			x := p.generator.Next(time.Now())
			p.drift()
			happening.Go(func() { p.fail(p.happen(ctx, x)) })
		case <-stop:
			playing = false
		case <-ctx.Done():
			playing = false
		}
	}
	happening.Wait()
	for range leftBehind {
		p.fail(p.queues.push(backlog))
	}
	close(flush)
	exporting.Wait()
	return p.failure()
}

// happen replays one exchange.
func (p *player) happen(ctx context.Context, x *traffic.Exchange) error {
	if x.Task != "" {
		if err := p.queues.push(x.Task); err != nil {
			return err
		}
	}
	if x.Run != nil {
		p.arrivals.expect(x.Run)
		if err := x.Run.WriteStart(ctx, p.rows); err != nil {
			return err
		}
	}
	select {
	case <-time.After(time.Until(x.End)):
	case <-ctx.Done():
		return ctx.Err()
	}
	if x.Run != nil {
		if err := x.Run.WriteEnd(ctx, p.rows); err != nil {
			return err
		}
	}
	if x.Task != "" {
		if err := p.queues.pop(x.Task); err != nil {
			return err
		}
	}
	x.Measure()
	p.mu.Lock()
	p.emitted.Add(x.Expected)
	p.mu.Unlock()
	for _, b := range x.Spans {
		p.exporters[b.Process].add(b.Traces)
	}
	return nil
}

// drift lets a backlog grow and shrink.
func (p *player) drift() {
	if p.generator.IntN(2) == 0 {
		p.fail(p.queues.push(backlog))
	} else {
		p.fail(p.queues.pop(backlog))
	}
}

func (p *player) fail(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = fmt.Errorf("simulate Dify: %w", err)
	}
}

func (p *player) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// expected returns what has been emitted so far.
func (p *player) expected() traffic.Expected {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.emitted.Clone()
}

// refused returns the number of exports that the collector permanently rejected.
func (p *player) refused() int {
	n := 0
	for _, e := range p.exporters {
		n += e.refused()
	}
	return n
}
