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

// Deadline is how long a test waits for something that should happen immediately. It is generous, for slow machines.
const Deadline = 90 * time.Second

const interval = 100 * time.Millisecond

// Until calls check repeatedly until it returns nil. After the timeout it returns check's last error.
func Until(ctx context.Context, timeout time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var last error // of a check that was not cut off: it has more information than a timeout
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
