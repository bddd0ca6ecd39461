// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
)

const (
	startTimeout = time.Minute
	tailLines    = 30
	crashBytes   = 4 << 10
)

// collector is the real binary, as a child process.
type collector struct {
	cmd     *exec.Cmd
	exited  chan struct{}
	logFile string

	otlpURL      string
	metricsURL   string
	telemetryURL string
	healthURL    string
	statusURL    string
}

// startCollector starts the binary with the environment that the demo's configuration asks for.
func startCollector(
	ctx context.Context, o *options, dir string, db *database, q *queues, b *backends,
) (*collector, error) {
	binary, err := exec.LookPath(o.collector)
	if err != nil {
		return nil, fmt.Errorf("no collector binary: run `make build`, or set -collector: %w", err)
	}
	addr, err := freeAddresses(ctx, 6)
	if err != nil {
		return nil, err
	}
	c := &collector{
		exited: make(chan struct{}), logFile: filepath.Join(dir, "collector.log"),
		otlpURL: "http://" + addr[0], metricsURL: "http://" + addr[2] + "/metrics",
		healthURL: "http://" + addr[3], telemetryURL: "http://" + addr[4] + "/metrics",
		statusURL: "http://" + addr[5] + "/",
	}
	host, port, _ := net.SplitHostPort(addr[4]) // generated above
	env := map[string]string{
		"OTELCOL_OTLP_HTTP_ENDPOINT": addr[0], "OTELCOL_OTLP_GRPC_ENDPOINT": addr[1], "OTELCOL_PROMETHEUS_ENDPOINT": addr[2],
		"OTELCOL_HEALTH_ENDPOINT": addr[3], "OTELCOL_TELEMETRY_HOST": host, "OTELCOL_TELEMETRY_PORT": port,
		"OTELCOL_STATUS_ENDPOINT": addr[5], "OTLP_API_KEY": "",
		"OTELCOL_STORAGE_DIR": filepath.Join(dir, "storage"), "OTELCOL_DB_TLS_INSECURE": "true",
		"CELERY_BROKER_URL": q.url(), "REDIS_KEY_PREFIX": "",
		"OTELCOL_OPENSEARCH_URL": b.openSearchURL(), "OTELCOL_SENTRY_DSN": sink.SentryDSN(b.sentryURL()),
	}
	maps.Copy(env, db.env)
	c.cmd = exec.Command(binary, "--config", o.config) // ended by stop, not killed by a context
	c.cmd.Env = withEnv(env)
	setProcessGroup(c.cmd)
	if err := c.start(o.verbose); err != nil {
		return nil, err
	}
	if err := c.awaitHealth(ctx); err != nil {
		return nil, errors.Join(err, c.stop(ctx))
	}
	return c, nil
}

func (c *collector) start(verbose bool) error {
	log, err := os.Create(c.logFile)
	if err != nil {
		return err
	}
	c.cmd.Stderr = log
	if verbose {
		c.cmd.Stderr = io.MultiWriter(log, os.Stderr)
	}
	if err := c.cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start the collector: %w", err), log.Close())
	}
	go func() {
		_ = c.cmd.Wait() // ProcessState has the result
		_ = log.Close()
		close(c.exited)
	}()
	return nil
}

func (c *collector) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if c.healthy(ctx) {
			return nil
		}
		select {
		case <-c.exited:
			return c.died()
		case <-ctx.Done():
			return fmt.Errorf("the collector did not become healthy: %w\n%s", ctx.Err(), c.logTail())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *collector) healthy(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.healthURL, http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// died returns the error for a collector that exited unexpectedly.
func (c *collector) died() error {
	return fmt.Errorf("the collector exited: %s\n%s", c.cmd.ProcessState, c.logTail())
}

// stop ends the collector as an operator does, and kills it after closeTimeout.
func (c *collector) stop(ctx context.Context) error {
	select {
	case <-c.exited:
		return nil
	default:
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.exited:
		if !c.cmd.ProcessState.Success() {
			return c.died()
		}
		return nil
	case <-ctx.Done():
		err := fmt.Errorf("the collector did not stop in %s", closeTimeout)
		err = errors.Join(err, c.cmd.Process.Kill())
		<-c.exited
		return err
	}
}

// logTail returns the end of the collector's log or, after a crash, the panic.
func (c *collector) logTail() string {
	text, err := os.ReadFile(c.logFile)
	if err != nil {
		return ""
	}
	if crash := bytes.Index(text, []byte("panic: ")); crash >= 0 {
		text = text[crash:]
		return string(text[:min(len(text), crashBytes)])
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte{'\n'})
	return string(bytes.Join(lines[max(0, len(lines)-tailLines):], []byte{'\n'}))
}

// withEnv returns our environment with the collector's variables replaced, so that none of an operator's own is
// passed on.
func withEnv(env map[string]string) []string {
	var out []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if _, ours := env[name]; !ours && !strings.HasPrefix(name, "OTELCOL_") {
			out = append(out, entry)
		}
	}
	for name, value := range env {
		out = append(out, name+"="+value)
	}
	return out
}

// freeAddresses returns distinct local addresses with free ports.
func freeAddresses(ctx context.Context, n int) ([]string, error) {
	var out []string
	for range n {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // kept open until all are found, so that they differ
		out = append(out, l.Addr().String())
	}
	return out, nil
}
