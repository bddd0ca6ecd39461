// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// freshness is the last time at which everything that the database showed had been delivered and saved.
type freshness struct {
	at atomic.Int64 // Unix nanoseconds; 0 while another receiver reads
}

func (f *freshness) now() {
	f.at.Store(time.Now().UnixNano())
}

// begin starts the clock, unless it is already running.
func (f *freshness) begin() {
	f.at.CompareAndSwap(0, time.Now().UnixNano())
}

func (f *freshness) suspend() {
	f.at.Store(0)
}

// observe reports the age in seconds.
func (f *freshness) observe(_ context.Context, o metric.Float64Observer) error {
	if at := f.at.Load(); at != 0 {
		o.Observe(time.Since(time.Unix(0, at)).Seconds())
	}
	return nil
}
