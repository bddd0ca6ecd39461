// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

// Kill ends the collector with SIGKILL wherever it stands.
func (c *Collector) Kill(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, c.process.Alive())
	c.process.Kill()
	c.killed = true
}

// Restart starts a collector that was killed again, on the same ports and storage.
func (c *Collector) Restart(tb testing.TB) {
	tb.Helper()
	c.killed = false
	var err error
	c.process, err = proc.Start(c.spec)
	require.NoError(tb, err)
	require.NoError(tb, c.process.UntilReady(tb.Context(), startTimeout, c.healthy), "start the collector again")
}

// KillAndRestart is Kill and at once Restart.
func (c *Collector) KillAndRestart(tb testing.TB) {
	tb.Helper()
	c.Kill(tb)
	c.Restart(tb)
}
