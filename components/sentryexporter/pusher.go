// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// pusher sends what the queue hands out and decides what becomes of each item.
type pusher struct {
	sender   *sender
	router   *router
	counters *counters
	logger   *zap.Logger
	retry    configretry.BackOffConfig
	maxAge   time.Duration
	// draining says that a shutdown began: nothing is tried twice any more.
	draining atomic.Bool
	// closing is done some time after that; what is under way is then broken off.
	closing context.Context
	// kept tells that what is left at a shutdown stays in a storage.
	kept bool

	mu sync.Mutex
	// backedOff are the items that wait for another try in memory only; guarded by mu.
	backedOff map[*item.Item]struct{}
}

// push sends the items of a request. It returns nil if each was taken or dropped for a stated reason, a permanent error
// if one was refused for good, and else the items that are left.
func (p *pusher) push(ctx context.Context, r xexporterhelper.Request) error {
	req := r.(*request)
	if req.firstTry.IsZero() {
		req.firstTry = p.sender.now()
	}
	p.noteBackedOff(req.items, false)
	ctx, cancel := p.breakable(ctx)
	defer cancel()

	a := attempt{pusher: p, down: map[*destination]error{}}
	for _, it := range req.items {
		a.try(ctx, it)
	}
	return p.result(ctx, &a, req)
}

// breakable is a context that ends with closing, too.
func (p *pusher) breakable(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.closing, cancel)
	return ctx, func() { stop(); cancel() }
}

func (p *pusher) result(ctx context.Context, a *attempt, req *request) error {
	if len(a.left) > 0 && p.givesUp(a, req) {
		p.counters.discarded(ctx, a.giveUpReason, a.left...)
		return consumererror.NewPermanent(fmt.Errorf("gave up on %d of %d items: %w", len(a.left), len(req.items), a.leftCause))
	}
	if len(a.left) == 0 {
		if a.rejected > 0 {
			return consumererror.NewPermanent(fmt.Errorf("%d of %d items: %w", a.rejected, len(req.items), a.rejectedCause))
		}
		return nil
	}
	p.noteBackedOff(a.left, true)
	var err error = &leftError{cause: a.leftCause, items: a.left}
	if wait := a.wait(p.sender.now()); wait > 0 {
		err = exporterhelper.NewThrottleRetry(err, wait)
	}
	return err
}

// givesUp tells whether what is left will not be tried again.
func (p *pusher) givesUp(a *attempt, req *request) bool {
	if !p.retry.Enabled {
		return true
	}
	if p.draining.Load() {
		return !p.kept
	}
	next := p.sender.now().Add(a.wait(p.sender.now()))
	return p.retry.MaxElapsedTime > 0 && next.Sub(req.firstTry) >= p.retry.MaxElapsedTime
}

func (p *pusher) noteBackedOff(items []*item.Item, waits bool) {
	if p.kept {
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

// countLost counts what waited for another try when the queue in memory was shut down.
func (p *pusher) countLost(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for it := range p.backedOff {
		p.counters.discarded(ctx, item.ReasonNetworkError, it)
	}
	clear(p.backedOff)
}

// attempt is one walk over the items of a request.
type attempt struct {
	*pusher
	down map[*destination]error // servers that failed in this attempt are not asked again

	left         []*item.Item
	leftCause    error
	giveUpReason item.Reason
	until        time.Time // the latest limit that an item waits for
	unlimited    bool      // whether an item is left that waits for no limit

	rejected      int
	rejectedCause error
}

func (a *attempt) try(ctx context.Context, it *item.Item) {
	dest := a.router.destination(it.Route)
	if dest == nil {
		a.counters.discarded(ctx, item.ReasonOff, it)
		return
	}
	now := a.sender.now()
	if a.maxAge > 0 && now.Sub(it.Time) > a.maxAge {
		a.counters.discarded(ctx, item.ReasonTooOld, it)
		return
	}
	if until := dest.limits.Until(now, it.LimitedBy()...); !until.IsZero() {
		a.limited(ctx, it, until, item.ReasonBackoff)
		return
	}
	if err := a.down[dest]; err != nil {
		a.leave(it, err, item.ReasonNetworkError)
		return
	}
	dest.checkOrigin(it, now, a.logger)
	out, err := a.sender.send(ctx, dest, it)
	a.settle(ctx, dest, it, out, err)
}

func (a *attempt) settle(ctx context.Context, dest *destination, it *item.Item, out outcome, err error) {
	switch out {
	case accepted:
		a.counters.sent(ctx, it)
		return
	case limited:
		a.limited(ctx, it, dest.limits.Until(a.sender.now(), it.LimitedBy()...), item.ReasonRateLimited)
		return
	case unavailable:
		a.down[dest] = err
		a.leave(it, err, unavailableReason(err))
		return
	case tooLarge:
		a.counters.discarded(ctx, item.ReasonTooLarge, it)
	case rejected:
		a.counters.discarded(ctx, item.ReasonSendError, it)
	}
	a.rejected++
	a.rejectedCause = rejection{err}
	if dest.said.first(err.Error()) {
		a.logger.Error("Sentry rejected an item. The item was dropped; more rejections for the same reason are only counted.", zap.Error(err))
	}
}

// limited leaves an error for later and drops anything else: transactions and logs are many and soon stale.
func (a *attempt) limited(ctx context.Context, it *item.Item, until time.Time, why item.Reason) {
	if it.Category != protocol.CategoryError {
		a.counters.discarded(ctx, why, it)
		return
	}
	a.left = append(a.left, it)
	if a.leftCause == nil {
		a.leftCause, a.giveUpReason = errors.New("sentry limits the rate of errors"), item.ReasonBackoff
	}
	if until.After(a.until) {
		a.until = until
	}
}

func (a *attempt) leave(it *item.Item, err error, why item.Reason) {
	a.left = append(a.left, it)
	a.unlimited = true
	a.leftCause, a.giveUpReason = err, why
}

// wait is for how long nothing that is left can be sent: with an item that waits for no limit, the usual backoff counts.
func (a *attempt) wait(now time.Time) time.Duration {
	if a.unlimited || !a.until.After(now) {
		return 0
	}
	return a.until.Sub(now)
}

func unavailableReason(err error) item.Reason {
	if errors.Unwrap(err) != nil { // wraps what the network said
		return item.ReasonNetworkError
	}
	return item.ReasonSendError
}

// onceByKey tells the first time from the others.
type onceByKey struct {
	mu   sync.Mutex
	seen map[string]bool // guarded by mu
}

func (o *onceByKey) first(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen[key] {
		return false
	}
	if o.seen == nil {
		o.seen = map[string]bool{}
	}
	o.seen[key] = true
	return true
}
