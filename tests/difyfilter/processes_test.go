// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	gunicornWorkers = 4
	celeryWorkers   = 3
	infoRequests    = `http_server_duration_milliseconds_count{http_route="/v1/info",dify_role="api"}`
	ranTasks        = `flower_task_runtime_seconds_count{dify_role="worker"}`
)

// Cumulative series of several processes that share a name: real clients, real Prometheus, one worker restarted midway.
func TestEveryRequestIsCountedOnce(t *testing.T) {
	for name, more := range map[string]map[string]string{
		"today's resource":    nil,
		"without process.pid": {"APP_WITHOUT_PID": "1"},
	} {
		t.Run(name, func(t *testing.T) { countRequests(t, more) })
	}
}

func countRequests(t *testing.T, more map[string]string) {
	s := newStack(t)
	prometheus, err := servers.StartPrometheus(t.Context(), s.Prometheus)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, prometheus.Stop()) })
	env := map[string]string{
		"OTLP_BASE_ENDPOINT": "http://" + s.OTLPHTTP, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
		"OTEL_BATCH_EXPORT_SCHEDULE_DELAY": "500", "OTEL_METRIC_EXPORT_INTERVAL": "1000",
	}
	maps.Copy(env, s.difyEnv)
	maps.Copy(env, more)
	app := pyenv.StartAppIn(
		t, repo.Path("tests", "python"), pyenv.Size{Gunicorn: gunicornWorkers, Celery: celeryWorkers}, env,
	)
	c := &client{app: app, pids: map[int]int{}}

	c.until(t, 200, gunicornWorkers)
	c.tasks(t, 30)
	for pid := range c.pids {
		require.NoError(t, syscall.Kill(pid, syscall.SIGTERM)) // gunicorn replaces it
		break
	}
	c.until(t, 400, gunicornWorkers+1)
	c.tasks(t, 30)

	requests, tasks := float64(sum(c.pids)), float64(c.ran)
	expectValue(t, prometheus, requests, "sum("+infoRequests+")")
	expectValue(t, prometheus, float64(len(c.pids)), "count("+infoRequests+")")
	expectValue(t, prometheus, tasks, "sum("+ranTasks+")")
	expectValue(t, prometheus, celeryWorkers, "count(count by (instance) ("+ranTasks+"))")
	for _, count := range c.pids { // each process has its own series, with its number of requests
		expectValue(t, prometheus, 1, fmt.Sprintf("clamp_max(count(%s == %d), 1)", infoRequests, count))
	}
	expectValue(t, prometheus, requests, `sum(http_server_response_count_total{http_route="/v1/info"})`)

	// The last export of each process changes no count and adds no series.
	app.Stop(t)
	expectValue(t, prometheus, requests, `sum(http_server_duration_milliseconds_count{http_route="/v1/info"})`)
	expectValue(t, prometheus, tasks, "sum(flower_task_runtime_seconds_count)")
}

// client sends requests to the application, and counts what each of its processes has served.
type client struct {
	app  *pyenv.App
	pids map[int]int
	ran  int
}

// until sends requests until at least the given number has been served, by at least the given number of processes. A
// new process has to start first.
func (c *client) until(t *testing.T, requests, processes int) {
	t.Helper()
	const timeout = 5 * time.Minute
	require.NoError(t, wait.Until(t.Context(), timeout, func(ctx context.Context) error {
		answers := make([]pyenv.Answer, 40)
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(8)
		for i := range answers {
			group.Go(func() (err error) {
				answers[i], err = c.app.Get(ctx, "/v1/info")
				return err
			})
		}
		require.NoError(t, group.Wait(), "a request that failed may be counted or not")
		for _, answer := range answers {
			require.Equal(t, http.StatusOK, answer.Status)
			c.pids[answer.PID]++
		}
		if sum(c.pids) < requests || len(c.pids) < processes {
			return fmt.Errorf("%d requests were answered by %d processes", sum(c.pids), len(c.pids))
		}
		return nil
	}))
}

// tasks lets the Celery workers run streamed workflows.
func (c *client) tasks(t *testing.T, count int) {
	t.Helper()
	for range count {
		answer, err := c.app.Post(t.Context(), "/v1/workflows/run", map[string]any{"response_mode": "streaming"})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.Status)
		c.ran++
	}
}

func sum(counts map[int]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// expectValue waits until a PromQL expression has the value.
func expectValue(t *testing.T, prometheus *servers.Prometheus, want float64, expr string) {
	t.Helper()
	wait.For(t, expr, func(ctx context.Context) error {
		got, err := prometheus.Value(ctx, expr)
		if err == nil && got != want {
			err = fmt.Errorf("%s is %v, expected %v", expr, got, want)
		}
		return err
	})
}
