// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Terminate stops the collector as an operator does, with SIGTERM, and says how long that took. Restart starts it again.
func (c *Collector) Terminate(tb testing.TB) time.Duration {
	tb.Helper()
	require.NoError(tb, c.process.Alive())
	begin := time.Now()
	require.NoError(tb, c.process.Stop())
	took := time.Since(begin)
	assert.Zero(tb, c.process.ExitCode(), "exit code after SIGTERM")
	c.killed = true
	return took
}

// Pid is the process's number, until it is started again.
func (c *Collector) Pid() int {
	return c.process.Pid()
}
