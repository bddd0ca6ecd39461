// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package docker runs containers on a real Docker engine.
package docker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

// Engine is a Docker engine: a running one, or one that the test started.
type Engine struct {
	Host string   // its address, as DOCKER_HOST has it
	env  []string // for docker and what calls it
}

// Start needs root or sudo, as an engine does, but neither networks nor a storage driver of the machine.
func Start(tb testing.TB) *Engine {
	tb.Helper()
	e := &Engine{Host: os.Getenv("DOCKER_HOST"), env: os.Environ()}
	if e.Host == "" {
		e.Host = "unix:///var/run/docker.sock"
	}
	if e.ready(tb.Context()) == nil {
		return e
	}
	dockerd, err := exec.LookPath("/usr/sbin/dockerd")
	if err != nil {
		dockerd, err = exec.LookPath("dockerd")
	}
	require.NoError(
		tb, err, "no Docker engine answers and there is none to start: install docker.io or run tests/setup.sh",
	)
	// A short path, for the sockets in it; and root may have to remove it.
	dir, err := os.MkdirTemp("", "dockerd-") //nolint:usetesting // as above
	require.NoError(tb, err)
	e.Host = "unix://" + filepath.Join(dir, "docker.sock")
	e.env = append(e.env, "DOCKER_HOST="+e.Host)
	pidFile := filepath.Join(dir, "pid")
	command := asRoot(
		dockerd, "--host", e.Host, "--group", strconv.Itoa(os.Getgid()), "--pidfile", pidFile,
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "run"),
		"--storage-driver", "vfs", "--bridge", "none", "--iptables=false",
	)
	process, err := proc.Start(proc.Spec{
		Name: "dockerd", Dir: dir, Path: command[0], Args: command[1:],
		Env: []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin"},
	})
	require.NoError(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
		defer cancel()
		stop := asRoot("sh", "-c", "kill $(cat "+pidFile+")") // signals don't reach sudo itself
		_, err := e.Run(ctx, stop[0], stop[1:]...)
		assert.NoError(tb, err)
		_, err = process.Wait(ctx)
		assert.NoError(tb, err)
		assert.NoError(tb, process.Stop())
		// A network namespace may stay mounted.
		remove := asRoot("sh", "-c", "grep -o '"+dir+"[^ ]*' /proc/mounts | xargs -r umount; rm -rf "+dir)
		_, err = e.Run(ctx, remove[0], remove[1:]...)
		assert.NoError(tb, err)
	})
	require.NoError(tb, process.UntilReady(tb.Context(), time.Minute, e.ready), "start the Docker engine")
	return e
}

// Signal sends a signal to a container's first process from outside of Docker: to the engine, the process has
// crashed.
func (e *Engine) Signal(tb testing.TB, container, signal string) {
	tb.Helper()
	pid := e.Docker(tb, "inspect", "--format", "{{.State.Pid}}", container)
	require.NotEqual(tb, "0", pid, "it does not run")
	kill := asRoot("sh", "-c", "kill -s "+signal+" "+pid)
	_, err := e.Run(tb.Context(), kill[0], kill[1:]...)
	require.NoError(tb, err)
}

// asRoot prefixes a command with sudo, unless the tests run as root.
func asRoot(command ...string) []string {
	if os.Geteuid() == 0 {
		return command
	}
	return append([]string{"/usr/bin/sudo", "-n"}, command...)
}

func (e *Engine) ready(ctx context.Context) error {
	_, err := e.Run(ctx, "docker", "version")
	return err
}

// Docker runs a command of the client and returns its output without the last line break.
func (e *Engine) Docker(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := e.Run(tb.Context(), "docker", args...)
	require.NoError(tb, err)
	return out
}

// Run runs a command that may call the client.
func (e *Engine) Run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = e.env
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, text)
	}
	return text, nil
}
