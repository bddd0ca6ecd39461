// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff waits longer after each failure, with some chance in it, so that many who fail together do not come back
// together.
type backoff struct {
	first, longest time.Duration
	next           time.Duration
}

// wait pauses and reports whether the context still lives.
func (b *backoff) wait(ctx context.Context) bool {
	if b.next == 0 {
		b.next = b.first
	}
	pause := b.next/2 + rand.N(b.next/2+1)
	b.next = min(2*b.next, b.longest)
	return sleep(ctx, pause)
}

func (b *backoff) reset() { b.next = 0 }

func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
