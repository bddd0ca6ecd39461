// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"

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
