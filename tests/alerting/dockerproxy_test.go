// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/docker"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// Through nginx with the shipped file, container-stats measures containers of a real engine and sends them to a
// collector that asks for a key; other requests are refused. Nothing of what Docker says about a container's
// environment is given on.
func TestDockerProxy(t *testing.T) {
	e := docker.Start(t)
	address := startProxy(t, e)
	const secret = "s3cret-of-a-container"
	id := runBurner(t, e, "--env", "DB_PASSWORD="+secret, "--label", "com.docker.compose.service=worker")

	for _, request := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/_ping", http.StatusOK},
		{http.MethodHead, "/_ping", http.StatusOK},
		{http.MethodGet, "/version", http.StatusOK},
		{http.MethodGet, "/v1.41/containers/json?all=1", http.StatusOK},
		{http.MethodGet, "/containers/" + id + "/json", http.StatusOK},
		{http.MethodGet, "/containers/" + id + "/stats?stream=false&one-shot=true", http.StatusOK},
		{http.MethodPost, "/containers/create", http.StatusForbidden},
		{http.MethodPost, "/containers/" + id + "/json", http.StatusForbidden},
		{http.MethodPost, "/containers/" + id + "/stop", http.StatusForbidden},
		{http.MethodDelete, "/containers/" + id + "/json", http.StatusForbidden},
		{http.MethodGet, "/containers/" + id + "/logs?stdout=1", http.StatusForbidden},
		{http.MethodGet, "/containers/" + id + "/archive?path=/etc", http.StatusForbidden},
		{http.MethodGet, "/containers/" + id + "/export", http.StatusForbidden},
		{http.MethodGet, "/containers/" + id + "/%6cogs?stdout=1", http.StatusForbidden},
		{http.MethodGet, "/images/../containers/json", http.StatusForbidden},
		{http.MethodGet, "/containers%2fjson", http.StatusForbidden},
		{http.MethodGet, "//containers/json", http.StatusForbidden},
		{http.MethodGet, "/images/json", http.StatusForbidden},
		{http.MethodGet, "/secrets", http.StatusForbidden},
		{http.MethodGet, "/v1.41/info", http.StatusForbidden},
	} {
		assert.Equal(t, request.want, status(t, request.method, address, request.path), "%s %s", request.method, request.path)
	}

	const key = "0a5d6f37c2b94e18"
	c := collector.Start(t, collector.Options{
		Configs: []string{collector.ShippedConfig(), repo.Path("config", "overlays", "auth.yaml")},
		Env:     map[string]string{"OTLP_API_KEY": key, "OTELCOL_OPENSEARCH_URL": "http://127.0.0.1:1"},
	})
	stats := collector.Start(t, collector.Options{
		Configs: []string{
			repo.Path("config", "overlays", "containers.yaml"), repo.Path("config", "container-stats.yaml"),
			"yaml:receivers::docker_stats::collection_interval: 1s", "yaml:exporters::otlp_http::endpoint: http://" + c.OTLPHTTP,
		},
		Env: map[string]string{
			"OTLP_API_KEY":            key,
			"OTELCOL_DOCKER_ENDPOINT": "tcp://" + address, "OTELCOL_DOCKER_API_VERSION": "1.41",
		},
	})
	expectMeasured(t, c, id)
	later := runBurner(t, e) // is announced by an event
	expectMeasured(t, c, later)
	text, err := collector.Fetch(t.Context(), "http://"+c.Prometheus+"/metrics")
	require.NoError(t, err)
	assert.NotContains(t, text, secret)
	assert.NotContains(t, c.Log(), secret)
	assert.NotContains(t, stats.Log(), secret)
}

// startProxy runs nginx with the shipped file in front of the engine's socket.
func startProxy(t *testing.T, e *docker.Engine) string {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/nginx")
	require.NoError(t, err, "install nginx-light (Debian package) or run tests/setup.sh")
	text, err := os.ReadFile(repo.Path("config", "docker-proxy", "nginx.conf"))
	require.NoError(t, err)
	ports, err := proc.FreePorts(1)
	require.NoError(t, err)
	dir := t.TempDir()
	conf := string(text)
	for _, change := range [][2]string{
		{"listen 2375;", "listen 127.0.0.1:" + strconv.Itoa(ports[0]) + ";"},
		{" /tmp/", " " + dir + "/"},
		{"unix:/var/run/docker.sock", strings.Replace(e.Host, "unix://", "unix:", 1)},
	} {
		require.Contains(t, conf, change[0])
		conf = strings.ReplaceAll(conf, change[0], change[1])
	}
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(conf), 0o600))
	process, err := proc.Start(proc.Spec{
		Name: "nginx", Dir: dir, Path: program, Args: []string{"-c", file, "-e", "stderr", "-g", "daemon off;"},
		Env: []string{"PATH=" + os.Getenv("PATH")},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, process.Stop()) })
	address := "127.0.0.1:" + strconv.Itoa(ports[0])
	require.NoError(t, process.UntilReady(t.Context(), wait.Deadline, func(ctx context.Context) error {
		_, err := send(ctx, http.MethodGet, address, "/_ping")
		return err
	}))
	return address
}

func status(t *testing.T, method, address, path string) int {
	t.Helper()
	code, err := send(t.Context(), method, address, path)
	require.NoError(t, err)
	return code
}

// send sends a path as it is.
func send(ctx context.Context, method, address, path string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address, http.NoBody)
	if err != nil {
		return 0, err
	}
	req.URL.Opaque, req.Host = path, address
	if strings.HasPrefix(path, "//") {
		req.URL.Opaque = "http://" + address + path // else it would name another host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func expectMeasured(t *testing.T, c *collector.Collector, id string) {
	t.Helper()
	wait.For(t, "memory of "+id, func(ctx context.Context) error {
		text, err := collector.Fetch(ctx, "http://"+c.Prometheus+"/metrics")
		if err != nil {
			return err
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "process_memory_usage_bytes{") && strings.Contains(line, id) {
				return nil
			}
		}
		return errors.New("no such series")
	})
}
