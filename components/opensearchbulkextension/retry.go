// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
)

// failure is why an attempt has to be repeated.
type failure struct {
	reason reason
	text   string // for the log: a status, an error's type or a network error, never what a body said beside it
	advice string // what an operator can do, if it does not pass by itself
	after  time.Duration
}

func (f *failure) Error() string { return f.text }

// throttled reports whether the server is there and asks for less: then another request's success means nothing.
func (f *failure) throttled() bool {
	return f.reason == reasonThrottled || f.reason == reasonItems
}

func (f *failure) sameAs(other failure) bool {
	return f.reason == other.reason && f.advice == other.advice
}

func (f *failure) fields() []zap.Field {
	fields := []zap.Field{zap.String("reason", string(f.reason)), zap.String("failure", f.text)}
	if f.advice != "" {
		fields = append(fields, zap.String("advice", f.advice))
	}
	return fields
}

// relogInterval is the least time between two log lines about why documents are held.
const relogInterval = time.Minute

// outage is what all blocked requests share. It writes one log line when holding begins and one when it ends.
type outage struct {
	retry     RetryConfig
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	report    func(*componentstatus.Event)

	mu           sync.Mutex
	blocked      int       // guarded by mu, as all below
	blockedSince time.Time // zero while there is nothing to tell
	logged       failure   // the last that the log was told of
	loggedAt     time.Time
	recovered    chan struct{} // closed and replaced when OpenSearch answers again
}

func newOutage(retry RetryConfig, logger *zap.Logger, telemetry *metadata.TelemetryBuilder) *outage {
	return &outage{
		retry:     retry,
		logger:    logger,
		telemetry: telemetry,
		report:    func(*componentstatus.Event) {},
		recovered: make(chan struct{}),
	}
}

func (o *outage) begin(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blocked++
	o.telemetry.OpensearchBulkHeldRequests.Add(ctx, 1)
}

// logFailure says once that holding began, and once more when there is another reason for it.
func (o *outage) logFailure(f failure) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if !o.blockedSince.IsZero() {
		if f.sameAs(o.logged) || now.Sub(o.loggedAt) < relogInterval {
			return
		}
		o.logger.Warn("OpenSearch still does not take documents, now for another reason", f.fields()...)
	} else {
		o.blockedSince = now
		o.logger.Warn("OpenSearch does not take documents: holding them until it does", f.fields()...)
		o.report(componentstatus.NewRecoverableErrorEvent(errBlocked))
	}
	o.logged, o.loggedAt = f, now
}

// end takes a request off. When the last one is gone because its documents were accepted, holding has ended.
func (o *outage) end(ctx context.Context, since time.Time, delivered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blocked--
	o.telemetry.OpensearchBulkHeldRequests.Add(ctx, -1)
	o.telemetry.OpensearchBulkHoldDuration.Record(ctx, time.Since(since).Seconds())
	if o.blocked > 0 || o.blockedSince.IsZero() {
		return
	}
	if delivered {
		o.logger.Info("OpenSearch takes documents again", zap.Duration("after", time.Since(o.blockedSince)))
		o.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
	o.blockedSince = time.Time{}
}

// answered wakes the requests that wait for OpenSearch to come back.
func (o *outage) answered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.blocked > 0 {
		close(o.recovered)
		o.recovered = make(chan struct{})
	}
}

func (o *outage) recovery() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.recovered
}

// retrier is one request's waiting.
type retrier struct {
	outage   *outage
	since    time.Time
	failures int // since OpenSearch last took a part of it
	total    int
}

// progress makes the next pause short again.
func (r *retrier) progress() { r.failures = 0 }

// end must be called once the request is done, held or not.
func (r *retrier) end(ctx context.Context, delivered bool) {
	if r.total > 0 {
		r.outage.end(ctx, r.since, delivered)
	}
}

// pause waits before the next attempt and reports false if there shall be none: the collector stops or ctx has ended.
func (r *retrier) pause(ctx, releasing context.Context, f failure) bool {
	r.outage.telemetry.OpensearchBulkRetries.Add(ctx, 1, f.reason.option())
	r.failures++
	r.total++
	if r.total == 1 {
		r.since = time.Now()
		r.outage.begin(ctx)
	}
	if r.total > 1 || f.reason == reasonTimeout { // one failure alone is no news, unless it took long
		r.outage.logFailure(f)
	}
	recovered := r.outage.recovery()
	pause := r.backoff(r.failures)
	least := min(pause, r.outage.retry.InitialInterval)
	if f.after > 0 {
		return wait(ctx, releasing, nil, max(f.after, least))
	}
	if f.throttled() {
		return wait(ctx, releasing, nil, pause)
	}
	// The first part is never cut short: where only some requests fail, each success would cause a new attempt.
	return wait(ctx, releasing, nil, least) && wait(ctx, releasing, recovered, pause-least)
}

// backoff is the n-th pause: twice the one before, up to the longest, half of it random.
func (r *retrier) backoff(n int) time.Duration {
	pause := r.outage.retry.InitialInterval
	for ; n > 1 && pause < r.outage.retry.MaxInterval; n-- {
		pause *= 2
	}
	pause = min(pause, r.outage.retry.MaxInterval)
	return pause/2 + rand.N(pause/2+1)
}

// wait lasts for d, or until early; false if ctx or releasing ended it.
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
