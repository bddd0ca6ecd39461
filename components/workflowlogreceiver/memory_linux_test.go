// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// memoryAbove returns a function that returns the peak memory of the process since now, above its idle memory now.
func memoryAbove(b *testing.B) func() uint64 {
	b.Helper()
	debug.FreeOSMemory()
	require.NoError(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // resets the peak
	idle := memoryStatus(b, "VmRSS:")
	return func() uint64 { return memoryStatus(b, "VmHWM:") - idle }
}

func memoryStatus(b *testing.B, key string) uint64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == key && fields[2] == "kB" {
			kib, err := strconv.ParseUint(fields[1], 10, 64)
			require.NoError(b, err)
			return kib << 10
		}
	}
	require.FailNow(b, "the kernel does not report "+key)
	return 0
}
