// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
)

var errBlocked = errors.New("OpenSearch does not accept documents")

// changeLogInterval is the shortest time between two log lines about why requests are blocked.
const changeLogInterval = time.Minute

// RetrySettings are the pauses between attempts.
type RetrySettings struct {
	// Initial is the first pause, and Max the longest one that the server did not ask for.
	Initial, Max time.Duration
}

// NewBackoff returns the pauses of one request.
func (s RetrySettings) NewBackoff() backoff.Backoff {
	return backoff.Backoff{Initial: s.Initial, Max: s.Max}
}

// Outage is what all blocked requests share: whether OpenSearch accepts documents. A request is blocked from its first
// failed attempt on until it is done.
//
// It writes one log line when requests begin to be blocked and one when the last of them is delivered, reports the
// same as the component's status, and wakes requests that wait when another one succeeds. One failure alone is not
// logged, unless it is a timeout.
type Outage struct {
	retry     RetrySettings
	logger    *zap.Logger
	telemetry Telemetry
	report    func(*componentstatus.Event)
	now       func() time.Time

	mu        sync.Mutex
	blocked   int                 // guarded by mu, as all below
	logged    logthrottle.Failure // ongoing while the log says that requests are blocked
	since     time.Time           // of the first log line
	recovered chan struct{}       // closed and replaced when OpenSearch responds again
}

// NewOutage returns the state in which no request is blocked. report receives the component's status.
func NewOutage(
	retry RetrySettings, logger *zap.Logger, telemetry Telemetry, report func(*componentstatus.Event),
) *Outage {
	return &Outage{
		retry:     retry,
		logger:    logger,
		telemetry: telemetry,
		report:    report,
		now:       time.Now,
		logged:    logthrottle.Failure{ChangeEvery: changeLogInterval},
		recovered: make(chan struct{}),
	}
}

// NewRetrier returns the retries of one request.
func (o *Outage) NewRetrier() *Retrier { return &Retrier{outage: o, pauses: o.retry.NewBackoff()} }

func (o *Outage) begin(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blocked++
	o.telemetry.Blocked(ctx, 1)
}

// logFailure logs that requests are blocked, and later that they are for another reason.
func (o *Outage) logFailure(f Failure) {
	o.mu.Lock()
	defer o.mu.Unlock()
	attempts, log := o.logged.Failed(f.cause(), o.now())
	switch {
	case !log:
	case attempts > 1:
		o.logger.Warn("OpenSearch still does not accept documents, now for another reason", f.fields()...)
	default:
		o.since = o.now()
		o.logger.Warn("OpenSearch does not accept documents: requests are retried until it does", f.fields()...)
		o.report(componentstatus.NewRecoverableErrorEvent(errBlocked))
	}
}

// end removes a request. When the last one is gone because its documents were accepted, the outage is over.
func (o *Outage) end(ctx context.Context, since time.Time, delivered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blocked--
	o.telemetry.Blocked(ctx, -1)
	o.telemetry.BlockDuration(ctx, o.now().Sub(since))
	if o.blocked > 0 || o.logged.Ended() == 0 {
		return
	}
	if delivered {
		o.logger.Info("OpenSearch accepts documents again", zap.Duration("after", o.now().Sub(o.since)))
		o.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// succeeded wakes the requests that wait for OpenSearch to come back.
func (o *Outage) succeeded() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.blocked > 0 {
		close(o.recovered)
		o.recovered = make(chan struct{})
	}
}

func (o *Outage) recovery() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.recovered
}

// Retrier pauses between the attempts of one request. It is not safe for concurrent use.
type Retrier struct {
	outage *Outage
	pauses backoff.Backoff
	since  time.Time // of the first failure
	failed int
}

// Progress makes the next pause short again, since OpenSearch has accepted a part of the request.
func (r *Retrier) Progress() { r.pauses.Reset() }

// End must be called once the request is done, whether an attempt has failed or not.
func (r *Retrier) End(ctx context.Context, delivered bool) {
	if r.failed > 0 {
		r.outage.end(ctx, r.since, delivered)
	}
}

// Pause waits before the next attempt. It returns false if there must not be one: the collector stops, or ctx has
// ended.
func (r *Retrier) Pause(ctx, releasing context.Context, f Failure) bool {
	o := r.outage
	o.telemetry.Retries(ctx, f.Reason)
	r.failed++
	if r.failed == 1 {
		r.since = o.now()
		o.begin(ctx)
	}
	if r.failed > 1 || f.Reason == ReasonTimeout {
		o.logFailure(f)
	}
	recovered := o.recovery()
	pause := r.pauses.NextAfter(f.after)
	if f.after > 0 || f.throttled() {
		return wait(ctx, releasing, nil, pause)
	}
	// The first part is never cut short: where only some requests fail, each success would cause a new attempt.
	least := min(pause, o.retry.Initial)
	return wait(ctx, releasing, nil, least) && wait(ctx, releasing, recovered, pause-least)
}

// wait lasts for d or until early is closed. It returns false if ctx or releasing ended first.
func wait(ctx, releasing context.Context, early <-chan struct{}, d time.Duration) bool {
	if ctx.Err() != nil || releasing.Err() != nil {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-early:
		return true
	case <-ctx.Done():
		return false
	case <-releasing.Done():
		return false
	}
}
