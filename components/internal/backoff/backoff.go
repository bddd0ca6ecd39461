// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package backoff computes and waits for the pauses between attempts that fail.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is an exponential backoff with jitter: each pause is twice the one before, up to a limit, and a random half
// of it is left out, so that clients that fail together do not come back together. It is not safe for concurrent use.
type Backoff struct {
	// Initial is the first pause, and Max the longest, both before jitter.
	Initial, Max time.Duration

	next time.Duration
}

// Next returns the next pause, which is between half of the current interval and all of it.
func (b *Backoff) Next() time.Duration {
	interval := min(b.Max, max(b.next, b.Initial))
	b.next = min(2*interval, b.Max)
	return interval/2 + rand.N(interval/2+1)
}

// NextAfter returns the next pause where the server asked for one, as by Retry-After: what it asked for, and at least
// the first interval or the pause that Next gives, whichever is shorter. If asked is 0 it is the same as Next.
func (b *Backoff) NextAfter(asked time.Duration) time.Duration {
	pause := b.Next()
	if asked <= 0 {
		return pause
	}
	return max(asked, min(pause, b.Initial))
}

// Reset makes the next pause the first one again, after a success.
func (b *Backoff) Reset() { b.next = 0 }

// Wait sleeps for the next pause. It returns false if ctx ended first.
func (b *Backoff) Wait(ctx context.Context) bool { return Sleep(ctx, b.Next()) }

// Sleep pauses for d. It returns false if ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
