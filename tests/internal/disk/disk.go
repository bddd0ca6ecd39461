// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package disk makes file systems that are small enough to be full.
package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Disk is a file system in memory.
type Disk struct {
	Path   string
	filler string
}

// New mounts one of the given size in bytes until the end of the test. This needs root, or sudo without a password.
func New(tb testing.TB, size int) *Disk {
	tb.Helper()
	path := tb.TempDir()
	options := fmt.Sprintf("size=%d,mode=0777", size)
	require.NoError(tb, asRoot("mount", "-t", "tmpfs", "-o", options, "tmpfs", path))
	tb.Cleanup(func() { require.NoError(tb, asRoot("umount", "--lazy", path)) })
	return &Disk{Path: path, filler: filepath.Join(path, "filler")}
}

func asRoot(name string, args ...string) error {
	if os.Geteuid() != 0 {
		name, args = "sudo", append([]string{"-n", name}, args...)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v, which needs root or sudo without a password: %w\n%s", name, args, err, out)
	}
	return nil
}

// Fill uses up all free space.
func (d *Disk) Fill(tb testing.TB) {
	tb.Helper()
	filler, err := os.OpenFile(d.filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(tb, err)
	defer filler.Close()
	for page := make([]byte, os.Getpagesize()); err == nil; {
		_, err = filler.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		require.NoError(tb, err, "fill a disk")
	}
}

// Free frees the space that Fill used.
func (d *Disk) Free(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, os.Remove(d.filler))
}
