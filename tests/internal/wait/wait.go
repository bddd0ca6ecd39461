// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package wait waits for effects instead of for time.
package wait

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Deadline is how long a test waits for something that should come at once; generous, for slow machines.
const Deadline = 90 * time.Second

const interval = 100 * time.Millisecond

// Until asks check again and again until it returns nil. After the time-out its last error is returned.
func Until(ctx context.Context, timeout time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var last error // of a check that had its time: says more than that the time is up
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", timeout, last)
		case <-tick.C:
		}
	}
}

// For fails the test if check does not return nil in time.
func For(tb testing.TB, what string, check func(context.Context) error) {
	tb.Helper()
	require.NoError(tb, Until(tb.Context(), Deadline, check), what)
}
