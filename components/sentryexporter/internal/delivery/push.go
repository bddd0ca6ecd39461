// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// PusherSettings are the settings of a Pusher.
type PusherSettings struct {
	Destinations *Destinations
	Counters     *Counters
	Logger       *zap.Logger
	// UserAgent names this exporter and its version to the server.
	UserAgent string
	Retry     configretry.BackOffConfig
	// MaxAge is how old an item may be when it is sent; 0 means no limit.
	MaxAge time.Duration
	// Durable means that what is left at a shutdown stays in a storage.
	Durable bool
	Now     func() time.Time
}

// Pusher sends the requests that queues hand out, and decides what happens to each of their items. It is safe for
// concurrent use.
type Pusher struct {
	PusherSettings

	poster poster
	// draining means that a shutdown began: nothing is tried twice.
	draining atomic.Bool
	// closing ends drainTime after that: requests under way are then canceled.
	closing context.Context
	cancel  context.CancelFunc

	mu sync.Mutex
	// backedOff are the items that wait for a retry in memory only. It is guarded by mu.
	backedOff map[*item.Item]struct{}
}

// NewPusher returns a pusher, which needs a client before it can push. ctx carries values only.
func NewPusher(ctx context.Context, set PusherSettings) *Pusher {
	closing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &Pusher{
		PusherSettings: set,
		poster:         poster{userAgent: set.UserAgent, now: set.Now, logger: set.Logger},
		closing:        closing, cancel: cancel, backedOff: map[*item.Item]struct{}{},
	}
}

// SetClient sets the HTTP client. It must be called before the queues start.
func (p *Pusher) SetClient(client *http.Client) {
	// If redirects were followed, the POST would become a GET, which is answered with 200, and the envelope would be lost.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p.poster.client = client
}

// PostReports sends each server what was discarded, once and without a retry.
func (p *Pusher) PostReports(ctx context.Context) {
	ctx, cancel := p.untilClosing(ctx)
	defer cancel()
	for _, dest := range p.Destinations.all {
		p.poster.postReport(ctx, dest)
	}
}

// Push sends the items of a request. It returns nil if each was accepted or discarded for a known reason, a permanent
// error if one was rejected, and otherwise a temporary error with the items that are left.
func (p *Pusher) Push(ctx context.Context, r xexporterhelper.Request) error {
	req := r.(*request)
	if req.firstTry.IsZero() {
		req.firstTry = p.Now()
	}
	p.noteBackedOff(req.items, false)
	ctx, cancel := p.untilClosing(ctx)
	defer cancel()

	a := attempt{Pusher: p, down: map[*Destination]error{}}
	for _, it := range req.items {
		a.send(ctx, it)
	}
	return p.result(ctx, &a, req)
}

func (p *Pusher) result(ctx context.Context, a *attempt, req *request) error {
	if len(a.left) > 0 && p.givesUp(a, req) {
		p.Counters.DiscardedItems(ctx, a.giveUpReason, a.left...)
		return consumererror.NewPermanent(
			fmt.Errorf("gave up on %d of %d items: %w", len(a.left), len(req.items), a.leftCause),
		)
	}
	if len(a.left) == 0 {
		if a.rejected > 0 {
			return consumererror.NewPermanent(fmt.Errorf("%d of %d items: %w", a.rejected, len(req.items), a.rejectedCause))
		}
		return nil
	}
	p.noteBackedOff(a.left, true)
	var err error = &leftError{cause: a.leftCause, items: a.left}
	if wait := a.wait(p.Now()); wait > 0 {
		err = exporterhelper.NewThrottleRetry(err, wait)
	}
	return err
}

// givesUp reports whether what is left will not be retried.
func (p *Pusher) givesUp(a *attempt, req *request) bool {
	if !p.Retry.Enabled {
		return true
	}
	if p.draining.Load() {
		return !p.Durable
	}
	next := p.Now().Add(a.wait(p.Now()))
	return p.Retry.MaxElapsedTime > 0 && next.Sub(req.firstTry) >= p.Retry.MaxElapsedTime
}

// noteBackedOff notes which items wait for a retry in memory, so that countLost can count them: exporterhelper drops
// them at a shutdown without another call.
func (p *Pusher) noteBackedOff(items []*item.Item, waits bool) {
	if p.Durable {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, it := range items {
		if waits {
			p.backedOff[it] = struct{}{}
		} else {
			delete(p.backedOff, it)
		}
	}
}
