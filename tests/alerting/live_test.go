// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fluent/fluent-logger-golang/fluent"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/docker"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// The recipients of each alert.
var (
	critical = []string{"HighAPIErrorRate", "WorkflowFailureRate"}
	warning  = []string{"HighResponseTime", "HighCPUUsage", "HighMemoryUsage", "CeleryQueueBacklog"}
)

// Each of the six alerts is triggered by its real cause, through the built binary, Prometheus and Alertmanager.
func TestAlertsReachPeople(t *testing.T) {
	r := newRig(t)
	r.burn(t)
	r.writeErrors(t)
	pyenv.Enqueue(t, r.difyEnv, "dataset", 101)
	r.failRuns(t)
	r.runInWorker(t)
	stopSlow := r.keepAsking(t, http.MethodGet, "/v1/slow?seconds=6")
	for _, alert := range []string{
		"HighCPUUsage", "HighMemoryUsage", "CeleryQueueBacklog", "WorkflowFailureRate", "HighResponseTime",
	} {
		r.expectFiring(t, alert)
	}
	stopErrors := r.keepAsking(t, http.MethodPost, "/v1/workflows/fail")
	r.expectFiring(t, "HighAPIErrorRate")

	for _, alert := range append(critical, warning...) {
		r.expectHeard(t, "mail of "+alert, &r.mail.heard, "RCPT TO:<ops@example.com>", "FIRING", alert)
	}
	for _, alert := range critical {
		r.expectHeard(t, "webhook of "+alert, &r.hook.heard, "firing "+alert)
	}
	for _, alert := range warning {
		assert.False(t, r.hook.of(alert), "%s is a warning, which goes to mail alone", alert)
	}

	// As overlays/host.yaml distinguishes processes.
	for role, name := range map[string]string{"api": "gunicorn", "worker": "celery"} {
		wait.For(t, "memory of "+name, func(ctx context.Context) error {
			samples, err := r.prometheus.Query(
				ctx,
				fmt.Sprintf(`process_memory_usage_bytes{dify_role=%q, process_executable_name=%q} > 1e6`, role, name),
			)
			if err == nil && len(samples) == 0 {
				err = errors.New("no such process")
			}
			return err
		})
	}
	t.Run("every expression finds data", func(t *testing.T) { checkExpressions(t, r, r.exampleRun(t)) })
	t.Run("the names are those of docs/metrics.md", func(t *testing.T) { checkNames(t, r) })

	stopErrors()
	stopSlow()
	r.expectHeard(t, "the all-clear", &r.hook.heard, "resolved HighAPIErrorRate")
	r.expectHeard(t, "the all-clear by mail", &r.mail.heard, "RESOLVED", "HighAPIErrorRate")
}

func (r *rig) expectHeard(t *testing.T, what string, by *heard, words ...string) {
	t.Helper()
	wait.For(t, what, func(context.Context) error {
		if by.of(words...) {
			return nil
		}
		return errors.New("not heard of")
	})
}

// burn runs a container that uses up its limits, under the name of the worker in Dify's compose file. They are so small
// that it gets them on a busy machine, too.
func (r *rig) burn(t *testing.T) {
	t.Helper()
	runBurner(t, r.engine, "--label", "com.docker.compose.service=worker")
}

// runBurner runs such a container with more flags, and returns its ID.
func runBurner(t *testing.T, engine *docker.Engine, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "burner"), "./testdata/burner")
	build.Dir, build.Env = repo.Path("tests", "alerting"), append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(
		t,
		os.WriteFile(
			filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY burner /burner\nENTRYPOINT [\"/burner\"]\n"), 0o600,
		),
	)
	image := "otelcol-dify-burner-" + uuid.NewString()
	engine.Docker(t, "build", "--quiet", "--tag", image, dir)
	args := append([]string{
		"run", "--detach", "--network", "host", "--cpus", "0.05", "--memory", "32m",
	}, flags...)
	container := engine.Docker(t, append(args, image)...)
	t.Cleanup(func() {
		_, err := engine.Run(context.WithoutCancel(t.Context()), "docker", "rm", "--force", container)
		assert.NoError(t, err)
	})
	return container
}

// failRuns lets one run in two fail until the end of the test.
func (r *rig) failRuns(t *testing.T) {
	t.Helper()
	w := schema.NewWriter(r.db)
	tenant, app := uuid.NewString(), uuid.NewString()
	require.NoError(t, w.CreateTenant(t.Context(), schema.Tenant{ID: tenant, Name: "Acme"}))
	require.NoError(
		t, w.CreateApp(t.Context(), schema.App{ID: app, TenantID: tenant, Name: "Help desk", Mode: "workflow"}),
	)
	count := 0
	r.keepOn(t, func(ctx context.Context) error {
		count++
		status := []string{"succeeded", "failed"}[count%2]
		run, node, now := uuid.NewString(), uuid.NewString(), time.Now()
		return errors.Join(
			w.StartRun(ctx, schema.Run{ID: run, TenantID: tenant, AppID: app, WorkflowID: app, CreatedBy: app, CreatedAt: now}),
			w.StartNode(
				ctx,
				schema.Node{
					ID: node, TenantID: tenant, AppID: app, WorkflowID: app, RunID: run, NodeID: "llm", NodeType: "llm",
					CreatedBy: app, CreatedAt: now,
				},
			),
			w.EndNode(ctx, node, schema.NodeOutcome{
				Status: "succeeded", ExecutionMetadata: `{"total_tokens": 10, "total_price": "0.001", "currency": "USD"}`,
				FinishedAt: now,
			}),
			w.EndRun(ctx, run, schema.Outcome{Status: status, TotalTokens: 10, Elapsed: time.Second, FinishedAt: now}),
			w.StartMessage(ctx, schema.Message{
				ID: node, AppID: app, ConversationID: app, ModelProvider: "openai", ModelID: "gpt-4o", CreatedAt: now,
			}),
			w.EndMessage(ctx, node, schema.Reply{Status: "error", Error: "Rate limit", UpdatedAt: now}),
		)
	})
}

// runInWorker lets the worker run a task now and then until the end of the test.
func (r *rig) runInWorker(t *testing.T) {
	t.Helper()
	r.keepOn(t, func(ctx context.Context) error {
		_, err := r.app.Post(ctx, "/v1/workflows/run", map[string]any{"response_mode": "streaming"})
		return err
	})
}

// exampleRun is a run whose trace is in OpenSearch, for the queries that name one.
func (r *rig) exampleRun(t *testing.T) pyenv.Answer {
	t.Helper()
	answer, err := r.app.Post(t.Context(), "/v1/workflows/run", map[string]any{"response_mode": "blocking"})
	require.NoError(t, err)
	query := map[string]any{"term": map[string]any{"attributes.dify.workflow_run_id": answer.RunID}}
	wait.For(t, "the run's trace", func(ctx context.Context) error {
		hits, err := r.search.Search(ctx, "dify-traces-*", query)
		if err == nil && len(hits) == 0 {
			err = errors.New("no spans")
		}
		return err
	})
	return answer
}

// writeErrors sends an error of the API's and of the worker's container, as Docker's fluentd driver does.
func (r *rig) writeErrors(t *testing.T) {
	t.Helper()
	client, err := fluent.New(fluent.Config{FluentHost: "127.0.0.1", FluentPort: r.fluent})
	require.NoError(t, err)
	now := time.Now().UTC()
	for _, service := range []string{"api", "worker"} {
		require.NoError(t, client.PostWithTime(service, now, map[string]string{
			"container_id": service + "0123456789", "container_name": "/docker-" + service + "-1", "source": "stderr",
			"log": now.Format(
				"2006-01-02 15:04:05.000",
			) + " ERROR [MainThread] [app.py:6] 0af7651916cd43dd8448eb211c80319c - it failed",
		}))
	}
	require.NoError(t, client.Close())
}

// keepAsking sends requests, four at a time, until stop is called.
func (r *rig) keepAsking(t *testing.T, method, path string) (stop func()) {
	t.Helper()
	return r.keepOn(t, func(ctx context.Context) error {
		var group errgroup.Group
		for range 4 {
			group.Go(func() error {
				ask := r.app.Get
				if method == http.MethodPost {
					ask = func(ctx context.Context, path string) (pyenv.Answer, error) {
						return r.app.Post(ctx, path, map[string]any{})
					}
				}
				_, err := ask(ctx, path)
				return err
			})
		}
		return group.Wait()
	})
}

// keepOn repeats work until stop is called or the test ends.
func (r *rig) keepOn(t *testing.T, work func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var group errgroup.Group
	group.Go(func() error {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if err := work(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	})
	stop = func() {
		cancel()
		assert.NoError(t, group.Wait())
	}
	t.Cleanup(stop)
	return stop
}
