// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/disk"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// faultTimeout is how long a fault may take to be noticed: longer than on a quiet machine, whose times are logged.
const faultTimeout = 6 * time.Minute

// brief are the shipped durations, shortened for faults: every window has room for a pause of a busy machine.
var brief = map[string]string{
	"15s": "1s", "30s": "1s", "1m": "5s", "2m": "10s", "3m": "20s", "5m": "20s", "10m": "30s", "15m": "30s", "30m": "30s",
}

func briefly(text string) string {
	return duration.ReplaceAllStringFunc(text, func(d string) string { return brief[d] })
}

// machines are the servers that the faults have in common. Each fault leaves them as they were.
type machines struct {
	postgres *servers.Postgres
	redis    *servers.Redis
	node     *servers.OpenSearch
}

func startMachines(t *testing.T) *machines {
	t.Helper()
	return &machines{
		postgres: servers.Run(t, servers.StartOwnPostgres),
		redis:    servers.Run(t, servers.StartOwnRedis),
		node: servers.Run(t, func(ctx context.Context) (*servers.OpenSearch, error) {
			return servers.StartOpenSearchNode(ctx, servers.NodeOptions{})
		}),
	}
}

// faultRig is a Dify with all its parts, each of which can fail, with the collector, Prometheus and Alertmanager.
type faultRig struct {
	*rig
	*machines
	plugins *pluginDaemon
	disk    *disk.Disk
	load
}

// load is the traffic, which a fault may change.
type load struct {
	modelSeconds atomic.Int64 // of a streaming run's model
	fails        atomic.Value // string: the error of every other run
	elapsed      atomic.Int64 // duration of the runs in the database, in seconds
	path         atomic.Value // string: of a request that is sent as well
	nodeType     atomic.Value // string: the type of the node that fails in such a run
	status       atomic.Value // string: of a run that does not fail
	failed       atomic.Value // string: the ID of the last run that failed
	paused       atomic.Bool  // no run ends
}

func newFaultRig(t *testing.T, m *machines) *faultRig {
	t.Helper()
	f := &faultRig{
		rig: &rig{mail: newMailbox(t), hook: newWebhook(t), search: m.node}, machines: m,
		plugins: newPluginDaemon(t), disk: disk.New(t, 64<<20),
	}
	f.fails.Store("")
	f.path.Store("/v1/ready")
	f.failed.Store("")
	f.nodeType.Store("llm")
	f.status.Store("succeeded")
	require.NoError(t, m.redis.Reset(t.Context()))
	require.NoError(t, m.node.Reset(t.Context()))
	dify := m.postgres.NewDify(t, nil)
	f.db, f.difyEnv = dify.Pool, dify.Env
	f.difyEnv["CELERY_BROKER_URL"] = m.redis.URL(1)
	f.collect(t)
	f.runDify(t)
	f.startPrometheus(t, f.plugins.address, briefly, map[string]string{
		// A slow run is one that a test can wait for.
		"local/alerts.yaml": "groups: [{name: local, rules: [{record: 'dify:local:slow_run_seconds', expr: vector(3)}]}]\n",
	})
	f.keepBusy(t)
	f.expectHealth(t)
	return f
}

func (f *faultRig) collect(t *testing.T) {
	t.Helper()
	sentry, err := sink.Listen(t.Context(), "127.0.0.1:0", sink.NewSentry())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, sentry.Close(context.WithoutCancel(t.Context()))) })
	env := map[string]string{
		"OTELCOL_OPENSEARCH_URL": f.search.URL, "OTELCOL_SENTRY_DSN": sink.SentryDSN(sentry.URL()),
		"OTELCOL_HOST_PROCESSES": "none", "OTELCOL_STORAGE_DIR": f.disk.Path,
	}
	maps.Copy(env, f.difyEnv)
	f.Collector = collector.Start(t, collector.Options{
		Configs: []string{
			collector.ShippedConfig(), repo.Path("config", "overlays", "host.yaml"),
			"yaml:receivers::celery_queue::collection_interval: 1s",
			"yaml:receivers::host_metrics::collection_interval: 1s",
			// The collector's disk is one in memory here.
			"yaml:receivers::host_metrics::scrapers::filesystem::include_virtual_filesystems: true",
			"yaml:receivers::host_metrics::scrapers::filesystem::exclude_fs_types::fs_types: [proc]",
			"yaml:receivers::host_metrics::scrapers::filesystem::include_mount_points: {match_type: strict, mount_points: [" +
				f.disk.Path + "]}",
			"yaml:exporters::prometheus::metric_expiration: 20s",
		},
		Env: env,
	})
}

func (f *faultRig) runDify(t *testing.T) {
	t.Helper()
	env := map[string]string{
		"OTLP_BASE_ENDPOINT": "http://" + f.OTLPHTTP, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
		"OTEL_BATCH_EXPORT_SCHEDULE_DELAY": "500", "OTEL_METRIC_EXPORT_INTERVAL": "1000",
	}
	maps.Copy(env, f.difyEnv)
	size := pyenv.Size{Gunicorn: 1, Celery: 1, Queues: "workflow_based_app_execution,schedule_poller", Beat: true}
	f.app = pyenv.StartAppIn(t, repo.Path("tests", "python"), size, env)
	f.app.StartWorker(t, "documents", "dataset", 1)
}

// keepBusy lets people use Dify until the end of the test. What fails meanwhile is what the alerts are about.
func (f *faultRig) keepBusy(t *testing.T) {
	t.Helper()
	w := schema.NewWriter(f.db)
	tenant, app := uuid.NewString(), uuid.NewString()
	require.NoError(t, w.CreateTenant(t.Context(), schema.Tenant{ID: tenant, Name: "Acme"}))
	require.NoError(
		t, w.CreateApp(t.Context(), schema.App{ID: app, TenantID: tenant, Name: "Help desk", Mode: "workflow"}),
	)
	var open errgroup.Group
	open.SetLimit(8)
	all, cancelAll := context.WithCancel(context.WithoutCancel(t.Context()))
	count := 0
	stop := f.keepOn(t, func(context.Context) error {
		count++
		failing, running := count%2 == 0, count%10 == 0
		open.TryGo(func() error {
			ctx, cancel := context.WithTimeout(all, 20*time.Second)
			defer cancel()
			_, _ = f.app.Get(ctx, "/v1/info")
			_, _ = f.app.Post(ctx, f.path.Load().(string), map[string]any{})
			if !running { // a run and a document every two seconds are enough
				return nil
			}
			_, _ = f.app.Post(ctx, "/v1/workflows/run", map[string]any{
				"response_mode": "streaming", "model_seconds": f.modelSeconds.Load(),
			})
			_, _ = f.app.Post(ctx, "/v1/datasets/document", map[string]any{"seconds": 0})
			return nil
		})
		if f.paused.Load() {
			return nil
		}
		open.TryGo(func() error {
			ctx, cancel := context.WithTimeout(all, 20*time.Second)
			defer cancel()
			elapsed := time.Duration(f.elapsed.Load()) * time.Second
			o := schema.Outcome{Status: f.status.Load().(string), Elapsed: elapsed, FinishedAt: time.Now()}
			if text := f.fails.Load().(string); text != "" && failing {
				o.Status, o.Error = "failed", text
			}
			run := uuid.NewString()
			_ = w.StartRun(ctx, schema.Run{
				ID: run, TenantID: tenant, AppID: app, WorkflowID: app, CreatedBy: app, CreatedAt: time.Now().Add(-o.Elapsed),
			})
			if node := uuid.NewString(); o.Error != "" {
				_ = w.StartNode(ctx, schema.Node{
					ID: node, TenantID: tenant, AppID: app, WorkflowID: app, RunID: run, NodeID: "n", NodeType: f.nodeType.Load().(string),
					CreatedBy: app, CreatedAt: time.Now(),
				})
				f.failed.Store(run)
				_ = w.EndNode(ctx, node, schema.NodeOutcome{Status: "failed", Error: o.Error, FinishedAt: time.Now()})
			}
			_ = w.EndRun(ctx, run, o)
			return nil
		})
		return nil
	})
	t.Cleanup(func() {
		stop()
		cancelAll()
		_ = open.Wait()
	})
}

// expectHealth waits until every part is known to work, and no alert fires.
func (f *faultRig) expectHealth(t *testing.T) {
	t.Helper()
	require.NoError(t, wait.Until(t.Context(), faultTimeout, func(ctx context.Context) error {
		for _, source := range []string{"collector", "api", "worker", "beat", "plugin_daemon", "database", "redis"} {
			if _, err := f.prometheus.Value(ctx, fmt.Sprintf(`dify:source:up{source=%q}`, source)); err != nil {
				return err
			}
		}
		// The calls and runs that judge a model's errors.
		if _, err := f.prometheus.Value(ctx, `dify:workflow_runs:increase15m >= 5`); err != nil {
			return err
		}
		if firing := f.firing(ctx); len(firing) > 0 {
			return fmt.Errorf("alerts in normal operation: %v", firing)
		}
		count, err := f.search.Count(ctx, "dify-traces-*")
		if err == nil && count == 0 {
			err = errors.New("no traces in OpenSearch")
		}
		return err
	}))
}

// firing are the alerts that fire now, without the watchdog.
func (f *faultRig) firing(ctx context.Context) []string {
	samples, err := f.prometheus.Query(ctx, `group by (alertname) (ALERTS{alertstate="firing", alertname!="Watchdog"})`)
	if err != nil {
		return []string{err.Error()}
	}
	var names []string
	for _, s := range samples {
		names = append(names, s.Labels["alertname"])
	}
	return names
}

// details are what the firing alerts are about, for messages.
func (f *faultRig) details(t *testing.T) string {
	t.Helper()
	samples, err := f.prometheus.Query(t.Context(), `ALERTS{alertstate="firing"}`)
	waiting, werr := f.prometheus.Query(t.Context(), `celery_queue_length`)
	return fmt.Sprintf("%v %v\nqueues: %v", samples, errors.Join(err, werr), waiting)
}

// fillDisk makes OpenSearch believe that its disk is full, as an operator sees it: it makes its indices read-only.
func (f *faultRig) fillDisk(t *testing.T) {
	t.Helper()
	watermarks := func(enabled, value any) map[string]any {
		const prefix = "cluster.routing.allocation.disk."
		return map[string]any{"persistent": map[string]any{
			prefix + "threshold_enabled": enabled, prefix + "watermark.low": value, prefix + "watermark.high": value,
			prefix + "watermark.flood_stage": value, "cluster.info.update.interval": "10s", "cluster.blocks.create_index": nil,
		}}
	}
	ctx := context.WithoutCancel(t.Context())
	require.NoError(t, f.search.Send(ctx, http.MethodPut, "/_cluster/settings", watermarks(true, "1000tb"), &struct{}{}))
	t.Cleanup(func() {
		assert.NoError(t, f.search.Send(ctx, http.MethodPut, "/_cluster/settings", watermarks(nil, nil), &struct{}{}))
		assert.NoError(t, wait.Until(ctx, faultTimeout, func(ctx context.Context) error {
			return f.search.Send(ctx, http.MethodPut, "/_all/_settings",
				map[string]any{"index.blocks.read_only_allow_delete": nil}, &struct{}{})
		}))
	})
}
