// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// drainTime is how long a shutdown lets requests continue; the collector has to stop within five seconds.
const drainTime = 3 * time.Second

// Closing returns a context that ends when a shutdown has no more time.
func (p *Pusher) Closing() context.Context { return p.closing }

// BeginShutdown is called before queues are shut down. From then on nothing is tried twice, and after drainTime,
// requests under way are canceled.
func (p *Pusher) BeginShutdown() {
	if p.draining.CompareAndSwap(false, true) {
		timer := time.AfterFunc(drainTime, p.cancel)
		context.AfterFunc(p.closing, func() { timer.Stop() })
	}
}

// Shutdown counts what is lost and posts the last client reports. The queues must have been shut down before. It can be
// called without a client.
func (p *Pusher) Shutdown(ctx context.Context) {
	defer p.cancel()
	if p.poster.client == nil {
		return
	}
	p.countLost(ctx)
	p.PostReports(ctx)
	p.poster.client.CloseIdleConnections()
}

// untilClosing returns a context that also ends with closing.
func (p *Pusher) untilClosing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.closing, cancel)
	return ctx, func() { stop(); cancel() }
}

// countLost counts what waited for a retry when the queues in memory were shut down.
func (p *Pusher) countLost(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for it := range p.backedOff {
		p.Counters.DiscardedItems(ctx, item.ReasonNetworkError, it)
	}
	clear(p.backedOff)
}
