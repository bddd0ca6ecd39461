// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// blockedCount counts blocked requests and nothing else.
type blockedCount struct{ n atomic.Int64 }

func (*blockedCount) Requests(context.Context)                     {}
func (*blockedCount) Items(context.Context, int, Outcome)          {}
func (*blockedCount) Retries(context.Context, Reason)              {}
func (c *blockedCount) Blocked(_ context.Context, change int)      { c.n.Add(int64(change)) }
func (*blockedCount) BlockDuration(context.Context, time.Duration) {}

func newTestOutage(retry RetrySettings) (*Outage, *blockedCount, *observer.ObservedLogs) {
	core, logs := observer.New(zap.DebugLevel)
	blocked := &blockedCount{}
	return NewOutage(retry, zap.New(core), blocked, func(*componentstatus.Event) {}), blocked, logs
}

func TestRetryAfterIsHonored(t *testing.T) {
	outage, blocked, _ := newTestOutage(RetrySettings{Initial: time.Millisecond, Max: time.Millisecond})
	r := outage.NewRetrier()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	assert.False(t, r.Pause(ctx, t.Context(), Failure{Reason: ReasonThrottled, after: time.Hour}))
	assert.EqualValues(t, 1, blocked.n.Load())
	r.End(ctx, false)
	assert.Zero(t, blocked.n.Load())
}

func TestNoPauseOnceTheCollectorStops(t *testing.T) {
	outage, _, _ := newTestOutage(RetrySettings{Initial: time.Hour, Max: time.Hour})
	releasing, release := context.WithCancel(t.Context())
	release()
	assert.False(t, outage.NewRetrier().Pause(t.Context(), releasing, Failure{Reason: ReasonUnreachable}))
}

func TestRecoveryWakesAllBlockedRequests(t *testing.T) {
	outage, blocked, _ := newTestOutage(RetrySettings{Initial: time.Millisecond, Max: time.Hour})
	r := outage.NewRetrier()
	for range 40 {
		r.pauses.Next() // up to the longest pause
	}
	woken := make(chan bool, 1)
	go func() { woken <- r.Pause(t.Context(), t.Context(), Failure{Reason: ReasonUnreachable}) }()
	require.Eventually(t, func() bool { return blocked.n.Load() == 1 }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool {
		outage.succeeded()
		return len(woken) == 1
	}, 10*time.Second, time.Millisecond)
	assert.True(t, <-woken)
	r.End(t.Context(), true)
}

func TestAnotherReasonIsLoggedOnceAMinute(t *testing.T) {
	outage, _, logs := newTestOutage(RetrySettings{})
	now := time.Now()
	outage.now = func() time.Time { return now }
	away, refused := Failure{Reason: ReasonUnreachable}, Failure{Reason: ReasonRefused, Advice: adviceLogin}
	outage.logFailure(away)
	outage.logFailure(refused)
	assert.Equal(t, 1, logs.Len())
	now = now.Add(2 * time.Minute)
	outage.logFailure(away)
	assert.Equal(t, 1, logs.Len())
	outage.logFailure(refused)
	outage.logFailure(refused)
	assert.Equal(t, 1, logs.FilterMessageSnippet("for another reason").Len())
}
