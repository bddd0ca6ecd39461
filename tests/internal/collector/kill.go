// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

// Kill ends the collector with SIGKILL.
func (c *Collector) Kill(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, c.process.Alive())
	c.process.Kill()
	c.down = true
}

// Terminate stops the collector as an operator does, with SIGTERM, and returns how long that took.
func (c *Collector) Terminate(tb testing.TB) time.Duration {
	tb.Helper()
	require.NoError(tb, c.process.Alive())
	begin := time.Now()
	require.NoError(tb, c.process.Stop())
	took := time.Since(begin)
	assert.Zero(tb, c.process.ExitCode(), "exit code after SIGTERM")
	c.down = true
	return took
}

// Restart starts a collector that was killed or terminated, on the same ports and storage.
func (c *Collector) Restart(tb testing.TB) {
	tb.Helper()
	c.down = false
	var err error
	c.process, err = proc.Start(c.spec)
	require.NoError(tb, err)
	require.NoError(tb, c.process.UntilReady(tb.Context(), startTimeout, c.healthy), "start the collector again")
}

// KillAndRestart is Kill, followed by Restart.
func (c *Collector) KillAndRestart(tb testing.TB) {
	tb.Helper()
	c.Kill(tb)
	c.Restart(tb)
}

// Pid returns the process id, which is valid until a restart.
func (c *Collector) Pid() int {
	return c.process.Pid()
}

// Alive returns nil while the collector runs, and otherwise how it ended.
func (c *Collector) Alive() error {
	return c.process.Alive()
}
