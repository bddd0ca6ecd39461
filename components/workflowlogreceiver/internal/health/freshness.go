// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Freshness is the last time at which everything that the database showed had been delivered and saved.
type Freshness struct {
	at atomic.Int64 // Unix nanoseconds; 0 while another receiver reads
}

// Now records that this is the case now.
func (f *Freshness) Now() {
	f.at.Store(time.Now().UnixNano())
}

// Begin starts the clock, unless it is already running.
func (f *Freshness) Begin() {
	f.at.CompareAndSwap(0, time.Now().UnixNano())
}

// Suspend stops the clock.
func (f *Freshness) Suspend() {
	f.at.Store(0)
}

// Observe reports the age in seconds.
func (f *Freshness) Observe(_ context.Context, o metric.Float64Observer) error {
	if at := f.at.Load(); at != 0 {
		o.Observe(time.Since(time.Unix(0, at)).Seconds())
	}
	return nil
}
