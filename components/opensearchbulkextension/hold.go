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

// retellInterval is the least time between two log lines about why documents are held.
const retellInterval = time.Minute

// holds knows all requests that are held. It writes one log line when holding begins and one when it ends.
type holds struct {
	retry     RetryConfig
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	report    func(*componentstatus.Event)

	mu        sync.Mutex
	held      int       // guarded by mu, as all below
	announced time.Time // zero while there is nothing to tell
	told      failure   // the last that the log was told of
	toldAt    time.Time
	recovered chan struct{} // closed and replaced when OpenSearch answers again
}

func newHolds(retry RetryConfig, logger *zap.Logger, telemetry *metadata.TelemetryBuilder) *holds {
	return &holds{
		retry:     retry,
		logger:    logger,
		telemetry: telemetry,
		report:    func(*componentstatus.Event) {},
		recovered: make(chan struct{}),
	}
}

func (h *holds) begin(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held++
	h.telemetry.OpensearchBulkHeldRequests.Add(ctx, 1)
}

// announce says once that holding began, and once more when there is another reason for it.
func (h *holds) announce(f failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !h.announced.IsZero() {
		if f.sameAs(h.told) || now.Sub(h.toldAt) < retellInterval {
			return
		}
		h.logger.Warn("OpenSearch still does not take documents, now for another reason", f.fields()...)
	} else {
		h.announced = now
		h.logger.Warn("OpenSearch does not take documents: holding them until it does", f.fields()...)
		h.report(componentstatus.NewRecoverableErrorEvent(errHolding))
	}
	h.told, h.toldAt = f, now
}

// end takes a request off. When the last one is gone because its documents were taken, holding has ended.
func (h *holds) end(ctx context.Context, since time.Time, delivered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held--
	h.telemetry.OpensearchBulkHeldRequests.Add(ctx, -1)
	h.telemetry.OpensearchBulkHoldDuration.Record(ctx, time.Since(since).Seconds())
	if h.held > 0 || h.announced.IsZero() {
		return
	}
	if delivered {
		h.logger.Info("OpenSearch takes documents again", zap.Duration("after", time.Since(h.announced)))
		h.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
	h.announced = time.Time{}
}

// answered wakes the requests that wait for OpenSearch to come back.
func (h *holds) answered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held > 0 {
		close(h.recovered)
		h.recovered = make(chan struct{})
	}
}

func (h *holds) recovery() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.recovered
}

// hold is one request's waiting.
type hold struct {
	all      *holds
	since    time.Time
	failures int // since OpenSearch last took a part of it
	total    int
}

// progress makes the next pause short again.
func (h *hold) progress() { h.failures = 0 }

// end must be called once the request is done, held or not.
func (h *hold) end(ctx context.Context, delivered bool) {
	if h.total > 0 {
		h.all.end(ctx, h.since, delivered)
	}
}

// pause waits before the next attempt and reports false if there shall be none: the collector stops or ctx has ended.
func (h *hold) pause(ctx, releasing context.Context, f failure) bool {
	h.all.telemetry.OpensearchBulkRetries.Add(ctx, 1, f.reason.option())
	h.failures++
	h.total++
	if h.total == 1 {
		h.since = time.Now()
		h.all.begin(ctx)
	}
	if h.total > 1 || f.reason == reasonTimeout { // one failure alone is no news, unless it took long
		h.all.announce(f)
	}
	recovered := h.all.recovery()
	pause := h.backoff(h.failures)
	least := min(pause, h.all.retry.InitialInterval)
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
func (h *hold) backoff(n int) time.Duration {
	pause := h.all.retry.InitialInterval
	for ; n > 1 && pause < h.all.retry.MaxInterval; n-- {
		pause *= 2
	}
	pause = min(pause, h.all.retry.MaxInterval)
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
