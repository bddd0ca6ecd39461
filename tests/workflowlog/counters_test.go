// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const endedRuns = " FROM workflow_runs WHERE status NOT IN ('running', 'paused')"

// checkCounters waits until each counter in Prometheus equals the result of SQL for the same rows.
func checkCounters(t *testing.T, db *dify, prometheus *servers.Prometheus) {
	t.Helper()
	const byAll = "dify_app_id, dify_workflow_run_status, dify_workflow_run_triggered_from"
	const groups, group = "app_id, status, triggered_from", " GROUP BY app_id, status, triggered_from"
	const nodes = " FROM workflow_node_executions AS n JOIN workflow_runs AS r ON r.id = n.workflow_run_id WHERE r.status NOT IN ('running', 'paused')"
	for expr, query := range map[string]string{
		"sum by (" + byAll + ") (app_workflow_run_total)":                  "SELECT COUNT(*) + 0e0, " + groups + endedRuns + group,
		"sum by (" + byAll + ") (app_workflow_run_duration_seconds_count)": "SELECT COUNT(*) + 0e0, " + groups + endedRuns + group,
		"sum by (" + byAll + ") (app_workflow_run_duration_seconds_sum)":   "SELECT SUM(elapsed_time), " + groups + endedRuns + group,
		"sum by (dify_app_id) (app_workflow_run_success_total)":            "SELECT COUNT(*) + 0e0, app_id, '', ''" + endedRuns + " AND status IN ('succeeded', 'partial-succeeded') GROUP BY app_id",
		"sum by (dify_app_id) (app_workflow_run_failure_total)":            "SELECT COUNT(*) + 0e0, app_id, '', ''" + endedRuns + " AND status = 'failed' GROUP BY app_id",
		"sum by (dify_app_id) (app_llm_token_usage_total)":                 "SELECT SUM(total_tokens) + 0e0, app_id, '', ''" + endedRuns + " GROUP BY app_id",
		"sum by (dify_app_id) (app_llm_cost_total)":                        "SELECT SUM(" + db.dialect.price + "), r.app_id, '', ''" + nodes + " GROUP BY r.app_id",
	} {
		want := sums(t, db, query)
		require.NotEmpty(t, want)
		wait.For(t, expr, func(ctx context.Context) error {
			samples, err := prometheus.Query(ctx, expr)
			if err != nil {
				return err
			}
			return differ(want, samples)
		})
	}
}

// sums returns the sums of a query that groups by three columns.
func sums(t *testing.T, db *dify, query string) map[string]float64 {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err, query)
	defer rows.Close()
	found := map[string]float64{}
	for rows.Next() {
		var sum float64
		var app, status, trigger string
		require.NoError(t, rows.Scan(&sum, &app, &status, &trigger))
		found[strings.Join([]string{app, status, trigger}, "/")] = sum
	}
	require.NoError(t, rows.Err())
	return found
}

// differ compares with what Prometheus has. A series with 0 is not a difference.
func differ(want map[string]float64, samples []servers.Sample) error {
	got := map[string]float64{}
	for _, s := range samples {
		key := strings.Join(
			[]string{
				s.Labels["dify_app_id"], s.Labels["dify_workflow_run_status"], s.Labels["dify_workflow_run_triggered_from"],
			},
			"/",
		)
		got[key] = s.Value
	}
	keys := maps.Clone(want)
	maps.Copy(keys, got)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if difference := got[key] - want[key]; difference > 1e-6 || difference < -1e-6 {
			return fmt.Errorf("%s is %v in Prometheus and %v in the database", key, got[key], want[key])
		}
	}
	return nil
}
