// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/docker"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// rig is Dify's database and Redis, the back ends, and the container between them.
type rig struct {
	*container
	db          *pgxpool.Pool
	dify        *schema.Writer
	tenant, app string
	search      *servers.OpenSearch
	prom        *servers.Prometheus
	sent, runs  int
}

// TestContainer runs the collector as the compose file does: with its user, read-only root, mounts and limits.
func TestContainer(t *testing.T) {
	r := &rig{}
	env := r.startServers(t)
	engine := docker.Start(t)
	_, err := engine.Run(t.Context(), "make", "-C", repo.Path(), "image")
	require.NoError(t, err)
	service := collectorOf(t, load(t, options{profile: "collector", env: env}))
	r.container = newContainer(t, engine)
	r.configure(t, service, nil)
	size, err := strconv.ParseInt(engine.Docker(t, "inspect", "--format", "{{.Size}}", service.Image), 10, 64)
	require.NoError(t, err)
	t.Logf("the image has %d MB, ready after %s", size/1e6, r.up(t).Round(10*time.Millisecond))
	r.startPrometheus(t)
	r.waitForTail(t)

	t.Run("data flows", func(t *testing.T) {
		r.send(t)
		r.endRun(t)
		r.expectAll(t)
		assert.Equal(
			t, http.StatusUnauthorized, r.export(t, "wrong"), "OTLP_API_KEY is set, so the door is closed without it",
		)
	})
	t.Run("a crash in an outage loses nothing, and a hanging collector is unhealthy", func(t *testing.T) {
		r.search.Kill()
		r.send(t)
		r.endRun(t)
		r.waitForQueue(t)
		r.crash(t)
		r.endRun(t)
		r.expectHealth(t, "healthy")
		engine.Signal(t, r.id, "STOP")
		require.NoError(t, r.search.Restart(t.Context()))
		r.expectHealth(t, "unhealthy")
		engine.Signal(t, r.id, "CONT")
		r.expectHealth(t, "healthy")
		r.expectAll(t)
	})
	t.Run("a string of control characters, six times as long in JSON, costs its own document only", func(t *testing.T) {
		require.Equal(t, http.StatusOK, r.export(t, apiKey, func(traces ptrace.Traces) {
			resource := traces.ResourceSpans().At(0)
			resource.Resource().Attributes().PutStr("service.name", "shop")
			span := resource.ScopeSpans().At(0).Spans().At(0)
			span.Attributes().PutStr("shop.note", strings.Repeat("\x01", 20<<20))
		}))
		r.sent++
		r.send(t)
		r.expectAll(t)
		killed := engine.Docker(t, "inspect", "--format", "{{.State.OOMKilled}} {{.HostConfig.Memory}}", r.id)
		assert.Equal(t, "false "+strconv.Itoa(1<<30), killed)
	})
	t.Run("a new container with secrets in files continues from the old one", func(t *testing.T) {
		r.down(t)
		r.endRun(t) // while the collector is not running
		files := []string{"docker-compose.yaml", "examples/secrets.compose.yaml"}
		r.configure(t, collectorOf(t, load(t, options{files: files, profile: "collector", env: env})), map[string]string{
			"db_password": env[0]["DB_PASSWORD"], "celery_broker_url": env[0]["CELERY_BROKER_URL"],
		})
		r.up(t)
		r.send(t)
		r.expectAll(t)
		r.down(t)
	})
	t.Run("log lines arrive through the socket", func(t *testing.T) { r.checkLines(t, env) })
}

// startServers returns Dify's .env and the operator's own env file.
func (r *rig) startServers(t *testing.T) []map[string]string {
	t.Helper()
	r.search = servers.Run(t, func(ctx context.Context) (*servers.OpenSearch, error) {
		return servers.StartOpenSearchNode(ctx, servers.NodeOptions{})
	})
	env := r.startDify(t)
	env["OTLP_API_KEY"] = apiKey
	return []map[string]string{env, {"OTELCOL_OPENSEARCH_URL": r.search.URL, "OTELCOL_DASHBOARDS_URL": ""}}
}

// startDify starts Dify's database with one app, and its Redis. It returns their variables in Dify's .env.
func (r *rig) startDify(t *testing.T) map[string]string {
	t.Helper()
	dify := servers.Run(t, servers.StartPostgres).NewDify(t, nil)
	r.db = dify.Pool
	r.dify, r.tenant, r.app = schema.NewWriter(r.db), uuid.NewString(), uuid.NewString()
	require.NoError(t, r.dify.CreateTenant(t.Context(), schema.Tenant{ID: r.tenant, Name: "Acme"}))
	require.NoError(
		t, r.dify.CreateApp(t.Context(), schema.App{ID: r.app, TenantID: r.tenant, Name: "Help desk", Mode: "workflow"}),
	)
	dify.Env["CELERY_BROKER_URL"] = servers.Run(t, servers.StartRedis).URL(1)
	return dify.Env
}

func (r *rig) startPrometheus(t *testing.T) {
	t.Helper()
	r.prom = servers.Run(t, func(ctx context.Context) (*servers.Prometheus, error) {
		return servers.StartPrometheus(ctx, r.prometheus)
	})
}

// own returns the collector as a scraper sees it.
func (r *rig) own() *collector.Collector {
	return &collector.Collector{Telemetry: r.telemetry}
}

// waitForTail waits until workflow_log has its position: runs that end from then on are recorded.
func (r *rig) waitForTail(t *testing.T) {
	t.Helper()
	wait.For(t, "workflow_log reads the database", func(ctx context.Context) error {
		_, err := r.own().OwnMetric(ctx, "otelcol_workflow_log_polls_total", `result="ok"`)
		return err
	})
}

// waitForQueue waits until the span and the run are on disk.
func (r *rig) waitForQueue(t *testing.T) {
	t.Helper()
	for _, signal := range []string{"spans", "log_records"} {
		wait.For(t, signal, func(ctx context.Context) error {
			count, err := r.own().OwnMetric(ctx, "otelcol_receiver_accepted_"+signal+"_total")
			if err == nil && count != 2 {
				err = fmt.Errorf("%v accepted", count)
			}
			return err
		})
	}
}

// send sends a span with Dify's key.
func (r *rig) send(t *testing.T) {
	t.Helper()
	require.Equal(t, http.StatusOK, r.export(t, apiKey))
	r.sent++
}

func (r *rig) export(t *testing.T, key string, change ...func(ptrace.Traces)) int {
	t.Helper()
	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("POST /v1/workflows/run")
	span.SetTraceID(pcommon.TraceID(uuid.New()))
	id := uuid.New()
	span.SetSpanID(pcommon.SpanID(id[:8]))
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	for _, c := range change {
		c(traces)
	}
	body, err := ptraceotlp.NewExportRequestFromTraces(traces).MarshalProto()
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		"http://"+r.otlpHTTP+"/v1/traces",
		bytes.NewReader(body),
	)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// endRun writes a run that has ended.
func (r *rig) endRun(t *testing.T) {
	t.Helper()
	run := schema.Run{
		ID: uuid.NewString(), TenantID: r.tenant, AppID: r.app, WorkflowID: r.app, CreatedBy: r.app, CreatedAt: time.Now(),
	}
	require.NoError(t, r.dify.StartRun(t.Context(), run))
	require.NoError(
		t,
		r.dify.EndRun(t.Context(), run.ID, schema.Outcome{Status: "succeeded", Elapsed: time.Second, FinishedAt: time.Now()}),
	)
	r.runs++
}

// expectAll waits until every span and run is exactly one document, and the runs are counted.
func (r *rig) expectAll(t *testing.T) {
	t.Helper()
	for pattern, want := range map[string]int{"dify-traces-*": r.sent, "workflow-logs-*": r.runs} {
		wait.For(t, "documents in "+pattern, func(ctx context.Context) error {
			got, err := r.search.Count(ctx, pattern)
			if err == nil && got != want {
				err = fmt.Errorf("%d documents in %s, expected %d", got, pattern, want)
			}
			return err
		})
	}
	wait.For(t, "runs in Prometheus", func(ctx context.Context) error {
		got, err := r.prom.Value(ctx, "sum(app_workflow_run_total)")
		if err == nil && got != float64(r.runs) {
			err = errors.New(strconv.FormatFloat(got, 'f', -1, 64))
		}
		return err
	})
}
