// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/docker"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// container is the collector's service of the compose file, run with Docker's own client, since compose is not in
// Debian. It uses the host's network with free addresses instead of the project's two networks, since there are no
// bridges where the tests run. Everything else is as in the file.
type container struct {
	engine    *docker.Engine
	addresses map[string]string // as the collector's variables
	args      []string          // of docker
	volumes   map[string]string // by their name in the file
	id        string

	otlpHTTP, prometheus, telemetry string // host:port
}

// newContainer allocates addresses and creates the service's main volume. configure sets what runs, and up starts it.
func newContainer(t *testing.T, e *docker.Engine) *container {
	t.Helper()
	ports, err := proc.FreePorts(6)
	require.NoError(t, err)
	address := func(i int) string { return "127.0.0.1:" + strconv.Itoa(ports[i]) }
	c := &container{
		engine: e, volumes: map[string]string{}, otlpHTTP: address(1), prometheus: address(2), telemetry: address(3),
	}
	c.addresses = map[string]string{
		"OTELCOL_OTLP_GRPC_ENDPOINT": address(
			0,
		), "OTELCOL_OTLP_HTTP_ENDPOINT": address(1), "OTELCOL_PROMETHEUS_ENDPOINT": address(2),
		"OTELCOL_TELEMETRY_HOST": "127.0.0.1", "OTELCOL_TELEMETRY_PORT": strconv.Itoa(ports[3]),
		"OTELCOL_HEALTH_ENDPOINT": address(4), "OTELCOL_STATUS_ENDPOINT": address(5),
	}
	c.createVolume(t, "otelcol-dify", nil)
	return c
}

func (c *container) createVolume(t *testing.T, name string, options map[string]string) {
	t.Helper()
	// Docker's own names are too long for the path of a socket.
	args := []string{"volume", "create", "--name", name + "-" + uuid.NewString()[:8]}
	for option, value := range options {
		args = append(args, "--opt", option+"="+value)
	}
	volume := c.engine.Docker(t, args...)
	t.Cleanup(func() {
		_, err := c.engine.Run(context.WithoutCancel(t.Context()), "docker", "volume", "rm", volume)
		assert.NoError(t, err)
	})
	c.volumes[name] = volume
}

// configure converts the service to docker's arguments. secrets has the contents of the secret files that the
// operator uses.
func (c *container) configure(t *testing.T, service types.ServiceConfig, secrets map[string]string) {
	t.Helper()
	env := environment(service)
	maps.Copy(env, c.addresses)
	args := flags(t, service)
	for _, secret := range service.Secrets {
		content, ok := secrets[secret.Source]
		if !ok { // the operator removes these lines
			maps.DeleteFunc(env, func(_, value string) bool { return value == "${file:/run/secrets/"+secret.Source+"}" })
			continue
		}
		file := filepath.Join(t.TempDir(), secret.Source)
		require.NoError(t, os.WriteFile(file, []byte(content), 0o444)) //nolint:gosec // the container's user reads it
		args = append(args, "--mount", "type=bind,readonly,source="+file+",target=/run/secrets/"+secret.Source)
	}
	for name, value := range env {
		args = append(args, "--env", name+"="+value)
	}
	args = append(args, mounts(service, c.volumes)...)
	c.args = slices.Concat([]string{"create", "--network", "host"}, args, []string{service.Image}, service.Command)
}

// flags converts the service's settings to flags of docker's client.
func flags(t *testing.T, service types.ServiceConfig) []string {
	t.Helper()
	args := []string{
		"--user", service.User, "--restart", service.Restart,
		"--memory", strconv.FormatInt(int64(service.MemLimit), 10), "--cpus", fmt.Sprint(service.CPUS),
		"--pids-limit", strconv.FormatInt(service.PidsLimit, 10),
		"--stop-timeout", strconv.Itoa(int(time.Duration(*service.StopGracePeriod).Seconds())),
		"--log-driver", service.Logging.Driver,
	}
	if service.ReadOnly {
		args = append(args, "--read-only")
	}
	for _, capability := range service.CapDrop {
		args = append(args, "--cap-drop", capability)
	}
	for _, option := range service.SecurityOpt {
		args = append(args, "--security-opt", option)
	}
	for name, value := range service.Logging.Options {
		args = append(args, "--log-opt", name+"="+value)
	}
	require.Nil(t, service.HealthCheck, "the image's")
	return args
}

func mounts(service types.ServiceConfig, volumes map[string]string) []string {
	var args []string
	for _, mount := range service.Volumes {
		source := mount.Source
		if mount.Type == types.VolumeTypeVolume {
			source = volumes[mount.Source]
		}
		text := fmt.Sprintf("type=%s,source=%s,target=%s", mount.Type, source, mount.Target)
		if mount.ReadOnly {
			text += ",readonly"
		}
		args = append(args, "--mount", text)
	}
	return args
}

// up creates and starts the container as `docker compose up` does, and returns the time until it was ready.
func (c *container) up(t *testing.T) time.Duration {
	t.Helper()
	c.id = c.engine.Docker(t, c.args...)
	id := c.id
	t.Cleanup(func() {
		if t.Failed() && id == c.id {
			log, _ := c.engine.Run(context.WithoutCancel(t.Context()), "docker", "logs", id)
			t.Log(log)
		}
		_, _ = c.engine.Run(context.WithoutCancel(t.Context()), "docker", "rm", "--force", id) // down may have removed it
	})
	begin := time.Now()
	c.engine.Docker(t, "start", id)
	wait.For(t, "the health check answers", func(ctx context.Context) error {
		_, err := c.engine.Run(ctx, "docker", "exec", id, "/difyctl", "health")
		return err
	})
	return time.Since(begin)
}

// down stops and removes the container, as `docker compose up` does with an outdated one. The volume is kept.
func (c *container) down(t *testing.T) {
	t.Helper()
	c.engine.Docker(t, "stop", c.id)
	assert.Equal(t, "0", c.inspect(t, "{{.State.ExitCode}}"), "it stopped within its grace period")
	c.engine.Docker(t, "rm", c.id)
}

func (c *container) inspect(t *testing.T, format string) string {
	t.Helper()
	return c.engine.Docker(t, "inspect", "--format", format, c.id)
}

// crash kills the collector as the kernel does. The engine restarts it.
func (c *container) crash(t *testing.T) {
	t.Helper()
	c.engine.Signal(t, c.id, "KILL")
	wait.For(t, "the engine starts it again", func(ctx context.Context) error {
		count, err := c.engine.Run(ctx, "docker", "inspect", "--format", "{{.RestartCount}} {{.State.Running}}", c.id)
		if err == nil && count != "1 true" {
			err = errors.New(count)
		}
		return err
	})
}

// expectHealth waits until Docker reports the health status.
func (c *container) expectHealth(t *testing.T, want string) {
	t.Helper()
	wait.For(t, want, func(ctx context.Context) error {
		got, err := c.engine.Run(ctx, "docker", "inspect", "--format", "{{.State.Health.Status}}", c.id)
		if err == nil && got != want {
			err = errors.New(got)
		}
		return err
	})
}
