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

func TestFreePortsAreHandedOutOnce(t *testing.T) {
	const n = 2*blockSize + 1
	seen := map[int]bool{}
	for range n {
		ports, err := FreePorts(1)
		require.NoError(t, err)
		seen[ports[0]] = true
	}
	assert.Len(t, seen, n)
}

// An outgoing connection would keep a server from starting again.
func TestFreePortsAreNotThoseOfConnections(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	require.NoError(t, err)
	lowest, err := strconv.Atoi(strings.Fields(string(text))[0])
	require.NoError(t, err)
	ports, err := FreePorts(1)
	require.NoError(t, err)
	assert.Less(t, ports[0], lowest)
}
