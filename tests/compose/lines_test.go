// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// checkLines runs containers with the logging driver of examples/dify-logs.compose.yaml, next to a collector that runs
// with examples/logs.compose.yaml. Their lines arrive through a Unix socket, also after a crash of the collector.
func (r *rig) checkLines(t *testing.T, env []map[string]string) {
	t.Helper()
	project := load(t, options{
		files: []string{"docker-compose.yaml", "examples/logs.compose.yaml"}, profile: "collector", env: env,
	})
	service := collectorOf(t, project)
	folder := project.Volumes["fluent"]
	r.createVolume(t, "fluent", folder.DriverOpts)
	r.configure(t, service, nil)
	r.up(t)

	file := filepath.Join(t.TempDir(), "docker-compose.yaml")
	require.NoError(t, os.WriteFile(file, []byte(dify), 0o600))
	api, err := load(t, options{files: []string{file, "examples/dify-logs.compose.yaml"}}).GetService("api")
	require.NoError(t, err)
	mountPoint := r.engine.Docker(t, "volume", "inspect", "--format", "{{.Mountpoint}}", r.volumes["fluent"])
	// A second collector is the sender in place of Dify's API: it writes lines, and continues to run without any server.
	args := []string{"run", "--detach", "--network", "none", "--log-driver", api.Logging.Driver}
	for name, value := range api.Logging.Options {
		value = strings.Replace(value, "/var/lib/docker/volumes/"+folder.Name+"/_data", mountPoint, 1)
		args = append(args, "--log-opt", name+"="+value)
	}
	r.expectLine(t, 1, append(args, service.Image))
	r.crash(t)
	r.expectHealth(t, "healthy")
	r.expectLine(t, 2, append(args, service.Image))
	onlyStatusPage(t, service.Ports)
	r.down(t)
}

// expectLine starts a container and waits until so many containers have reported a certain line.
func (r *rig) expectLine(t *testing.T, want int, run []string) {
	t.Helper()
	id := r.engine.Docker(t, run...)
	wait.For(t, "a container's line", func(ctx context.Context) error {
		query := map[string]any{"match_phrase": map[string]any{"body": "Everything is ready"}}
		hits, err := r.search.Search(ctx, "dify-logs-*", query)
		if err == nil && len(hits) != want {
			err = fmt.Errorf("%d lines, expected %d", len(hits), want)
		}
		return err
	})
	r.engine.Docker(t, "rm", "--force", "--volumes", id)
}
