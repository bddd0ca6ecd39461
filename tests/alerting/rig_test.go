// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/docker"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// rig is Dify, the collector, and its back ends, from the shipped files.
type rig struct {
	*collector.Collector
	db         *pgxpool.Pool
	difyEnv    map[string]string
	search     *servers.OpenSearch
	prometheus *servers.Prometheus
	engine     *docker.Engine
	app        *pyenv.App
	fluent     int // port for log lines of containers
	mail       *mailbox
	hook       *webhook
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{engine: docker.Start(t), mail: newMailbox(t), hook: newWebhook(t)}
	r.startDify(t)
	r.search = servers.Run(t, servers.StartOpenSearch)
	require.NoError(t, r.search.Reset(t.Context()))
	r.startCollector(t)
	r.startApplication(t)
	r.startPrometheus(t, newPluginDaemon(t).address, shortened)
	wait.For(t, "workflow_log reads the database", func(ctx context.Context) error {
		_, err := r.OwnMetric(ctx, "otelcol_workflow_log_polls_total", `result="ok"`)
		return err
	})
	return r
}

func (r *rig) startDify(t *testing.T) {
	t.Helper()
	dify := servers.Run(t, servers.StartPostgres).NewDify(t, nil)
	r.db, r.difyEnv = dify.Pool, dify.Env
	r.difyEnv["CELERY_BROKER_URL"] = servers.Run(t, servers.StartRedis).URL(1)
}

func (r *rig) startCollector(t *testing.T) {
	t.Helper()
	sentry, err := sink.Listen(t.Context(), "127.0.0.1:0", sink.NewSentry())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, sentry.Close(context.WithoutCancel(t.Context()))) })
	ports, err := proc.FreePorts(1)
	require.NoError(t, err)
	r.fluent = ports[0]
	env := map[string]string{
		"OTELCOL_FLUENT_ENDPOINT": "127.0.0.1:" + strconv.Itoa(r.fluent),
		"OTELCOL_OPENSEARCH_URL":  r.search.URL, "OTELCOL_SENTRY_DSN": sink.SentryDSN(sentry.URL()),
		"OTELCOL_DOCKER_ENDPOINT": r.engine.Host, "OTELCOL_DOCKER_API_VERSION": "1.41",
		"OTELCOL_HOST_PROCESSES": "gunicorn|celery",
	}
	maps.Copy(env, r.difyEnv)
	r.Collector = collector.Start(t, collector.Options{
		Configs: []string{
			collector.ShippedConfig(), repo.Path("config", "overlays", "containers.yaml"),
			repo.Path("config", "overlays", "host.yaml"),
			repo.Path("config", "overlays", "logs.yaml"),
			repo.Path("tests", "alerting", "testdata", "often.yaml"),
		},
		Env: env,
	})
}

func (r *rig) startApplication(t *testing.T) {
	t.Helper()
	env := map[string]string{
		"OTLP_BASE_ENDPOINT": "http://" + r.OTLPHTTP, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
		"OTEL_SAMPLING_RATE":               "1.0",
		"OTEL_BATCH_EXPORT_SCHEDULE_DELAY": "500", "OTEL_METRIC_EXPORT_INTERVAL": "1000",
	}
	maps.Copy(env, r.difyEnv)
	r.app = pyenv.StartApp(t, env)
}

// sooner shortens the durations in the shipped files; nothing else in them changes.
var sooner = map[string]string{
	"15s": "1s", "1m": "5s", "2m": "5s", "3m": "10s", "5m": "30s", "10m": "10s", "15m": "10s", "30m": "10s", "30s": "1s",
	"1h": "1h", "4h": "4h",
}

var duration = regexp.MustCompile(`\b(15s|30s|1m|2m|3m|5m|10m|15m|30m)\b`)

func shortened(text string) string {
	return duration.ReplaceAllStringFunc(text, func(d string) string { return sooner[d] })
}

func shipped(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(repo.Path(append([]string{"config"}, path...)...))
	require.NoError(t, err)
	return string(text)
}

// startPrometheus starts Prometheus and Alertmanager with the shipped files, whose durations shorten changes. More
// files are added as they are.
func (r *rig) startPrometheus(t *testing.T, plugins string, shorten func(string) string, more ...map[string]string) {
	t.Helper()
	_, alertmanagerText := alertmanagerFile(t, map[string]string{
		"OTELCOL_ALERT_MAIL_TO": "ops@example.com", "OTELCOL_ALERT_WEBHOOK_URL": r.hook.url,
		"SMTP_SERVER": r.mail.host, "SMTP_PORT": r.mail.port,
	})
	alertmanager := servers.Run(t, func(ctx context.Context) (*servers.Alertmanager, error) {
		return servers.StartAlertmanager(ctx, shorten(alertmanagerText))
	})
	files := map[string]string{"prometheus.yaml": strings.NewReplacer(
		"otelcol-dify:8889", r.Prometheus, "otelcol-dify:8888", r.Telemetry, "alertmanager:9093", alertmanager.Address,
		"plugin_daemon:5002", plugins,
	).Replace(shorten(shipped(t, "prometheus", "prometheus.yaml")))}
	rules, err := filepath.Glob(repo.Path("config", "prometheus", "rules", "*.yaml"))
	require.NoError(t, err)
	for _, rule := range rules {
		name := filepath.Base(rule)
		files["rules/"+name] = shorten(shipped(t, "prometheus", "rules", name))
	}
	for _, added := range more {
		maps.Copy(files, added)
	}
	r.prometheus = servers.Run(t, func(ctx context.Context) (*servers.Prometheus, error) {
		return servers.StartPrometheusWith(ctx, files)
	})
}

// expectFiring waits for an alert in Prometheus.
func (r *rig) expectFiring(t *testing.T, alert string) {
	t.Helper()
	wait.For(t, alert+" fires", func(ctx context.Context) error {
		samples, err := r.prometheus.Query(ctx, fmt.Sprintf(`ALERTS{alertname=%q, alertstate="firing"}`, alert))
		if err == nil && len(samples) == 0 {
			err = errors.New("not firing")
		}
		return err
	})
}
