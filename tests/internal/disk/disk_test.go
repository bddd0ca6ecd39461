// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDiskIsFullAndThenNot(t *testing.T) {
	d := New(t, 1<<20)
	write := func() error { return os.WriteFile(filepath.Join(d.Path, "file"), make([]byte, 1<<16), 0o600) }
	d.Fill(t)
	require.ErrorIs(t, write(), syscall.ENOSPC)
	d.Free(t)
	require.NoError(t, write())
}
