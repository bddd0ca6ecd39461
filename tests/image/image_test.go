// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package image builds the container image and runs it as the compose file does: unprivileged, with a read-only root.
package image

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/docker"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const image = "otelcol-dify:latest"

// As a hardened compose file runs it.
var hardened = []string{
	"run", "--network", "host", "--read-only", "--user", "10001:10001",
	"--cap-drop", "ALL", "--security-opt", "no-new-privileges",
}

func TestImage(t *testing.T) {
	e := docker.Start(t)
	_, err := e.Run(t.Context(), "make", "-C", repo.Path(), "image")
	require.NoError(t, err)

	t.Run("does not run as root", func(t *testing.T) {
		assert.Equal(t, "10001:10001", e.Docker(t, "inspect", "--format", "{{.Config.User}}", image))
	})
	t.Run("is small", func(t *testing.T) {
		size, err := strconv.Atoi(e.Docker(t, "inspect", "--format", "{{.Size}}", image))
		require.NoError(t, err)
		assert.LessOrEqual(t, size, 130_000_000)
	})
	t.Run("validates the shipped configuration", func(t *testing.T) {
		e.Docker(
			t,
			slices.Concat(hardened, []string{"--rm", image, "validate", "--config=/etc/otelcol-dify/collector.yaml"})...)
	})
	t.Run("shows what is redacted", func(t *testing.T) {
		out := e.Docker(t, slices.Concat(hardened, []string{
			"--rm", "--entrypoint", "/difyctl", image, "redact", "--config=/etc/otelcol-dify/collector.yaml",
			"/etc/ssl/certs/ca-certificates.crt",
		})...)
		assert.Equal(t, "nothing is redacted", strings.TrimSpace(out), "certificates are public")
	})
	t.Run("starts and is healthy", func(t *testing.T) { checkStart(t, e) })
}

// checkStart runs the default command without any back end: it must start, and wait for them.
func checkStart(t *testing.T, e *docker.Engine) {
	t.Helper()
	ports, err := proc.FreePorts(6)
	require.NoError(t, err)
	args := slices.Concat(hardened, []string{
		"--detach", "--stop-timeout", "30", "--env", "OTELCOL_OPENSEARCH_URL=http://127.0.0.1:1",
		"--env", "DB_HOST=127.0.0.1", "--env", "DB_PORT=1", "--env", "CELERY_BROKER_URL=redis://127.0.0.1:1/1",
		"--env", fmt.Sprintf("OTELCOL_TELEMETRY_PORT=%d", ports[0]),
	})
	for i, name := range []string{"OTLP_GRPC", "OTLP_HTTP", "PROMETHEUS", "HEALTH", "STATUS"} {
		args = append(args, "--env", fmt.Sprintf("OTELCOL_%s_ENDPOINT=127.0.0.1:%d", name, ports[i+1]))
	}
	container := e.Docker(t, append(args, image)...)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if t.Failed() {
			log, _ := e.Run(ctx, "docker", "logs", container)
			t.Log(log)
		}
		_, err := e.Run(ctx, "docker", "rm", "--force", "--volumes", container)
		assert.NoError(t, err)
	})
	wait.For(t, "the image's own health check", func(ctx context.Context) error {
		_, err := e.Run(ctx, "docker", "exec", container, "/difyctl", "health")
		return err
	})
	e.Docker(t, "stop", container)
	assert.Equal(t, "0", e.Docker(t, "inspect", "--format", "{{.State.ExitCode}}", container), "exit code after a stop")
}
