// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

func shell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(Spec{
		Name: "shell", Dir: t.TempDir(), Path: "/bin/sh", Args: []string{"-c", script},
		Env: []string{"PATH=" + os.Getenv("PATH")},
	})
	require.NoError(t, err)
	return p
}

func TestProcessThatEndsIsReportedWithItsLog(t *testing.T) {
	p := shell(t, "echo no config; exit 3")
	err := p.UntilReady(t.Context(), time.Minute, func(context.Context) error { return errors.New("not ready") })
	require.ErrorContains(t, err, "shell ended by itself (exit status 3)")
	require.ErrorContains(t, err, "no config")
	assert.Equal(t, 3, p.ExitCode())
	require.NoError(t, p.Stop())
}

func TestStopTakesTheChildrenToo(t *testing.T) {
	p := shell(t, "sleep 600 & echo $!; wait")
	var child int
	wait.For(t, "the child's number", func(context.Context) (err error) {
		child, err = strconv.Atoi(strings.TrimSpace(p.Log()))
		return err
	})
	require.NoError(t, p.Alive())
	require.NoError(t, p.Stop())
	wait.For(t, "the child's end", func(context.Context) error {
		if err := syscall.Kill(child, 0); err == nil && !zombie(child) {
			return errors.New("the child still runs")
		}
		return nil
	})
}

// zombie reports whether a process has exited and has not been reaped.
func zombie(pid int) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || strings.Contains(string(text), ") Z ")
}

func TestFreePortsDiffer(t *testing.T) {
	ports, err := FreePorts(20)
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, port := range ports {
		seen[port] = true
	}
	assert.Len(t, seen, 20)
}
