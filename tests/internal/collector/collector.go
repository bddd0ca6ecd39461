// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package collector runs the built binary as an operator does: shipped files, environment variables, exit codes.
package collector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// BinaryEnv names the variable with the path of the binary under test.
const BinaryEnv = "OTELCOL_TEST_BINARY"

const startTimeout = time.Minute

// Binary returns the path of the binary under test.
func Binary(tb testing.TB) string {
	tb.Helper()
	path := os.Getenv(BinaryEnv)
	if path == "" {
		path = repo.Path("bin", "otelcol-dify")
	}
	_, err := os.Stat(path)
	require.NoErrorf(tb, err, "no binary to test: run make build, or set %s", BinaryEnv)
	return path
}

// ShippedConfig returns the path of the configuration that an operator starts with.
func ShippedConfig() string {
	return repo.Path("config", "collector.yaml")
}

// KeepDays returns overlays for telemetry with fixed days: up to an age of fifty years it is in the index of its own
// day.
func KeepDays() []string {
	return []string{
		"yaml:extensions::opensearch_bulk::setup::retention_days: 18250",
		"yaml:processors::dify_filter::limits::retention_days: 18250",
	}
}

// Options configure an instance.
type Options struct {
	Configs []string          // default: the shipped one; several are merged in order
	Env     map[string]string // addresses of servers, secrets
}

// Collector is a running instance.
type Collector struct {
	OTLPGRPC   string // host:port of each listener
	OTLPHTTP   string
	Prometheus string
	Telemetry  string
	Status     string

	health  string
	spec    proc.Spec
	process *proc.Process
	down    bool // killed or terminated by the test, and not restarted
}

// Start runs the binary on free ports until the end of the test and waits until it is healthy. Its log is printed if
// the test fails.
func Start(tb testing.TB, opts Options) *Collector {
	tb.Helper()
	ports, err := proc.FreePorts(6)
	require.NoError(tb, err)
	address := func(i int) string { return "127.0.0.1:" + strconv.Itoa(ports[i]) }
	c := &Collector{
		OTLPGRPC: address(0), OTLPHTTP: address(1), Prometheus: address(2), Telemetry: address(3), health: address(4),
		Status: address(5),
	}
	env := map[string]string{
		"OTELCOL_OTLP_GRPC_ENDPOINT":  c.OTLPGRPC,
		"OTELCOL_OTLP_HTTP_ENDPOINT":  c.OTLPHTTP,
		"OTELCOL_PROMETHEUS_ENDPOINT": c.Prometheus,
		"OTELCOL_TELEMETRY_HOST":      "127.0.0.1",
		"OTELCOL_TELEMETRY_PORT":      strconv.Itoa(ports[3]),
		"OTELCOL_HEALTH_ENDPOINT":     c.health,
		"OTELCOL_STATUS_ENDPOINT":     c.Status,
		"OTELCOL_STORAGE_DIR":         tb.TempDir(),
	}
	maps.Copy(env, opts.Env)
	c.spec = proc.Spec{
		Name: "otelcol-dify",
		Dir:  tb.TempDir(),
		Path: Binary(tb),
		Args: configArgs(opts.Configs),
		Env:  environment(env),
	}
	c.process, err = proc.Start(c.spec)
	require.NoError(tb, err)
	tb.Cleanup(func() { c.finish(tb) })
	require.NoError(tb, c.process.UntilReady(tb.Context(), startTimeout, c.healthy), "start the collector")
	return c
}

// finish stops the collector. The test fails if it does not exit, or has exited before.
func (c *Collector) finish(tb testing.TB) {
	tb.Helper()
	if c.down {
		return
	}
	died := c.process.Alive()
	stopped := c.process.Stop()
	if died == nil && stopped == nil && c.process.ExitCode() != 0 {
		stopped = fmt.Errorf("otelcol-dify ended with exit code %d after SIGTERM", c.process.ExitCode())
	}
	if err := errors.Join(died, stopped); err != nil {
		tb.Error(err)
	}
	if tb.Failed() {
		tb.Log(c.process.Tail())
	}
}

// Log returns what the collector has written so far.
func (c *Collector) Log() string {
	return c.process.Log()
}

func (c *Collector) healthy(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.health, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("health check: %s", resp.Status)
	}
	return nil
}

func configArgs(configs []string) []string {
	if len(configs) == 0 {
		configs = []string{ShippedConfig()}
	}
	args := make([]string, 0, 2*len(configs))
	for _, config := range configs {
		args = append(args, "--config", config)
	}
	return args
}

// environment returns all variables of the binary. It contains none of the developer's own, which could be those of a
// real Dify.
func environment(env map[string]string) []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	for key, value := range env {
		list = append(list, key+"="+value)
	}
	return list
}
