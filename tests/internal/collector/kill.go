// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

// KillAndRestart ends the collector with SIGKILL wherever it stands, and starts it again on the same ports and storage.
func (c *Collector) KillAndRestart(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, c.process.Alive())
	c.process.Kill()
	var err error
	c.process, err = proc.Start(c.spec)
	require.NoError(tb, err)
	require.NoError(tb, c.process.UntilReady(tb.Context(), startTimeout, c.healthy), "start the collector again")
}

// StopAndRestart ends the collector with SIGTERM, calls between, and starts it again on the same ports and storage. It
// returns how long the end took.
func (c *Collector) StopAndRestart(tb testing.TB, between func()) time.Duration {
	tb.Helper()
	took := c.Stop(tb)
	between()
	var err error
	c.process, err = proc.Start(c.spec)
	require.NoError(tb, err)
	c.stopped = false
	require.NoError(tb, c.process.UntilReady(tb.Context(), startTimeout, c.healthy), "start the collector again")
	return took
}

// Stop ends the collector with SIGTERM before the test's end and returns how long that took.
func (c *Collector) Stop(tb testing.TB) time.Duration {
	tb.Helper()
	require.NoError(tb, c.process.Alive())
	begin := time.Now()
	require.NoError(tb, c.process.Stop())
	require.Zero(tb, c.process.ExitCode(), "after SIGTERM")
	c.stopped = true
	return time.Since(begin)
}
