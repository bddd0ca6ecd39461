// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	apps       = 2100 // more than max_apps
	maxApps    = 2000 // the default
	workspaces = 500
	// perApp is the documented bound on the series of one app (docs/metrics.md).
	perApp = 80
)

// In an installation with more apps than max_apps the others share one series, and the total stays below the
// documented bound.
func TestSeriesStayBounded(t *testing.T) {
	r := &rig{}
	r.startDify(t)
	fillApps(t, r)
	env := map[string]string{"OTELCOL_OPENSEARCH_URL": "http://127.0.0.1:1"}
	maps.Copy(env, r.difyEnv)
	r.Collector = collector.Start(t, collector.Options{
		Configs: []string{collector.ShippedConfig(), "yaml:receivers::workflow_log::start_at: beginning"}, Env: env,
	})
	var lines []string
	wait.For(t, "every app's runs", func(ctx context.Context) error {
		text, err := collector.Fetch(ctx, "http://"+r.Prometheus+"/metrics")
		if err != nil {
			return err
		}
		lines = strings.Split(text, "\n")
		if runs := total(lines, "app_workflow_run_total{"); runs != apps {
			return fmt.Errorf("%v runs, expected %d", runs, apps)
		}
		return nil
	})
	series, named, overflow := 0, map[string]bool{}, false
	for _, line := range lines {
		if !strings.HasPrefix(line, "app_") {
			continue
		}
		series++
		app := labelValue(line, "dify_app_id")
		named[app] = true
		overflow = overflow || labelValue(line, "otel_metric_overflow") == "true"
	}
	t.Logf("%d series of %d apps", series, len(named))
	assert.Len(t, named, maxApps+1)
	assert.True(t, overflow, "the rest share one series")
	assert.LessOrEqual(t, series, (maxApps+1)*perApp)
}

// fillApps gives each app one run that has ended, half of them failed.
func fillApps(t *testing.T, r *rig) {
	t.Helper()
	for _, sql := range []string{
		`INSERT INTO tenants (id, name) SELECT md5('t' || i)::uuid, 'Workspace ' || i FROM generate_series(1, $1) i`,
		`INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api, status)
		   SELECT md5('a' || i)::uuid, md5('t' || 1 + i % 500)::uuid, 'App ' || i, 'workflow', true, true, 'normal' FROM generate_series(1, $1) i`,
		`INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, status, elapsed_time, total_tokens,
		     created_by_role, created_by, created_at, finished_at)
		   SELECT md5('r' || i)::uuid, md5('t' || 1 + i % 500)::uuid, md5('a' || i)::uuid, md5('w' || i)::uuid, 'workflow', 'app-run', '1',
		     CASE i % 2 WHEN 0 THEN 'succeeded' ELSE 'failed' END, 1.5, 10, 'account', md5('u')::uuid,
		     now() at time zone 'utc' - interval '1 minute', now() at time zone 'utc' FROM generate_series(1, $1) i`,
	} {
		count := apps
		if strings.Contains(sql, "INTO tenants") {
			count = workspaces
		}
		_, err := r.db.Exec(t.Context(), sql, count)
		require.NoError(t, err)
	}
}
