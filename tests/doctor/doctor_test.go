// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const apiKey = "0a5d6f37c2b94e18" //nolint:gosec // made up

// result is a check of the report in JSON.
type result struct{ Name, State, Detail, Fix string }

// installation is Dify's servers, and what the collector needs to know of them.
type installation struct {
	postgres *servers.Postgres
	dify     *servers.Dify
	redis    *servers.Redis
	broker   *redis.Client
	search   *servers.OpenSearch
	sentry   *sink.Sentry
	env      map[string]string
}

// newInstallation is a good one: tables, declared queues, and a worker that waits for tasks.
func newInstallation(t *testing.T) *installation {
	t.Helper()
	i := &installation{
		postgres: servers.SharedPostgres(t), redis: servers.SharedRedis(t), search: servers.SharedOpenSearch(t),
		sentry: sink.NewSentry(),
	}
	require.NoError(t, i.redis.Reset(t.Context()))
	require.NoError(t, i.search.Reset(t.Context()))
	i.dify = i.postgres.NewDify(t, nil)
	options, err := redis.ParseURL(i.redis.URL(1))
	require.NoError(t, err)
	i.broker = redis.NewClient(options)
	t.Cleanup(func() { assert.NoError(t, i.broker.Close()) })
	require.NoError(t, i.broker.SAdd(t.Context(), "_kombu.binding.dataset", "dataset").Err())
	server, err := sink.Listen(t.Context(), "127.0.0.1:0", i.sentry)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close(context.WithoutCancel(t.Context()))) })
	i.env = map[string]string{
		"CELERY_BROKER_URL": i.redis.URL(1), "OTELCOL_OPENSEARCH_URL": i.search.URL,
		"OTELCOL_SENTRY_DSN": sink.SentryDSN(server.URL()), "OTLP_API_KEY": apiKey,
	}
	maps.Copy(i.env, i.dify.Env)
	return i
}

// work waits for tasks as a worker does, until the test ends.
func (i *installation) work(t *testing.T) {
	t.Helper()
	ctx, done := context.WithoutCancel(t.Context()), make(chan struct{})
	go func() {
		defer close(done)
		_ = i.broker.BRPop(ctx, 0, "nothing").Err()
	}()
	t.Cleanup(func() { // the driver heeds no context here
		assert.NoError(t, i.broker.LPush(ctx, "nothing", "end").Err())
		<-done
	})
}

func auth() []string {
	return []string{collector.ShippedConfig(), repo.Path("config", "overlays", "auth.yaml")}
}

// start runs a collector between the servers, until everything that it sets up is there.
func (i *installation) start(t *testing.T) *collector.Collector {
	t.Helper()
	c := collector.Start(t, collector.Options{Configs: auth(), Env: i.env})
	wait.For(t, "workflow_log reads", func(ctx context.Context) error {
		_, err := c.OwnMetric(ctx, "otelcol_workflow_log_polls_total", `result="ok"`)
		return err
	})
	wait.For(t, "the index templates are there", func(ctx context.Context) error {
		return i.search.Send(ctx, "GET", "/_index_template/otelcol-dify-dead-letter", nil, &struct{}{})
	})
	return c
}

func decode(t *testing.T, r collector.Result) []result {
	t.Helper()
	var results []result
	require.NoError(t, json.Unmarshal([]byte(r.Output), &results), r.Output)
	return results
}

func TestGoodInstallation(t *testing.T) {
	i := newInstallation(t)
	c := i.start(t)
	i.work(t)
	exportSpan(t, c.OTLPHTTP)
	env := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(env, []byte(strings.Join([]string{
		"ENABLE_OTEL=true", "OTLP_BASE_ENDPOINT=http://otelcol-dify:4318", "OTEL_EXPORTER_TYPE=otlp",
		"OTEL_SAMPLING_RATE=1.0", "OTLP_API_KEY=" + apiKey, "OTEL_API_KEY='" + apiKey + "'",
	}, "\n")), 0o600))
	prometheus, err := servers.StartPrometheus(t.Context(), c.Prometheus)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, prometheus.Stop()) })
	args := []string{"--dify-env", env, "--prometheus", prometheus.URL, "--sentry-test", "--format", "json"}

	var report collector.Result
	require.NoError(t, wait.Until(t.Context(), time.Minute, func(context.Context) error { // until Prometheus has scraped
		begin := time.Now()
		report = c.Doctor(t, nil, args...) //nolint:contextcheck // it has the test's context
		assert.Less(t, time.Since(begin), 10*time.Second)
		for _, r := range decode(t, report) {
			if r.State == "failed" || r.State == "warning" {
				return fmt.Errorf("%+v", r)
			}
		}
		return nil
	}))
	assert.Zero(t, report.Code)
	made := 0
	for _, r := range decode(t, report) {
		if r.State == "ok" {
			made++
		}
	}
	assert.GreaterOrEqual(t, made, 20, report.Output)
	assert.NotZero(t, i.sentry.Counts().Events, "the test event")

	text := c.Doctor(t, nil)
	assert.Zero(t, text.Code)
	assert.Contains(t, text.Output, "0 failed")
	for _, secret := range []string{apiKey, i.postgres.Password, sink.SentryKey} {
		assert.NotContains(t, report.Output+text.Output, secret)
	}

	other := decode(t, c.Doctor(t, map[string]string{"OTLP_API_KEY": "another"}, "--format", "json"))
	assertFinds(t, other, "failed", "collector: OTLP", "OTLP_API_KEY: restart the collector")
}

func assertFinds(t *testing.T, results []result, state, name, text string) {
	t.Helper()
	for _, r := range results {
		if r.Name == name && r.State == state && strings.Contains(r.Detail+" -> "+r.Fix, text) {
			return
		}
	}
	assert.Failf(t, "not found", "%s %s with %q in %+v", state, name, text, results)
}

// broken is a fault, made by a variable, an overlay or a change of a server, and what doctor says about it.
type broken struct {
	env     map[string]string
	overlay string
	args    []string
	breaks  func(t *testing.T, i *installation, env map[string]string)

	state, name, text string
}

func TestBrokenInstallations(t *testing.T) {
	i := newInstallation(t)
	i.start(t).Terminate(t) // sets OpenSearch up
	for name, tt := range faults(t, i) {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"PATH": os.Getenv("PATH"), "OTELCOL_STORAGE_DIR": t.TempDir()}
			ports, err := proc.FreePorts(6)
			require.NoError(t, err)
			for n, variable := range []string{"OTLP_GRPC", "OTLP_HTTP", "PROMETHEUS", "HEALTH", "STATUS"} {
				env["OTELCOL_"+variable+"_ENDPOINT"] = fmt.Sprintf("127.0.0.1:%d", ports[n])
			}
			env["OTELCOL_TELEMETRY_HOST"], env["OTELCOL_TELEMETRY_PORT"] = "127.0.0.1", strconv.Itoa(ports[5])
			for _, more := range []map[string]string{i.env, tt.env} {
				maps.Copy(env, more)
			}
			if tt.breaks != nil {
				tt.breaks(t, i, env)
			}
			args := []string{"doctor", "--format", "json"}
			for _, file := range auth() {
				args = append(args, "--config", file)
			}
			if tt.overlay != "" {
				file := filepath.Join(t.TempDir(), "mine.yaml")
				require.NoError(t, os.WriteFile(file, []byte(tt.overlay), 0o600))
				args = append(args, "--config", file)
			}
			begin := time.Now()
			report := collector.Difyctl(t, env, append(args, tt.args...)...)
			assert.Less(t, time.Since(begin), 10*time.Second)
			results := decode(t, report)
			assertFinds(t, results, tt.state, tt.name, tt.text)
			if tt.state == "failed" {
				assert.Equal(t, 1, report.Code)
			}
			for _, r := range results {
				if r.State == "failed" || r.State == "warning" {
					assert.NotEmpty(t, r.Fix, "%+v", r)
				}
			}
		})
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func listen(t *testing.T, address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
}
