// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// The first runs of an app have ended before its series exist. Prometheus, which treats the first value as the start,
// must count all of them, and a kill of the collector must not count as a second start.
func TestFirstIncrementsAreSeen(t *testing.T) {
	const runs = 7
	db := newPostgres(t)
	insertApps(t, db)
	s := newSink(t)
	// The interval is much longer than that of Prometheus' scrapes (1s), as the receiver's README asks.
	c := startCollector(t, db, map[string]string{"TEST_SINK": s.URL, "TEST_METRICS_INTERVAL": "15s"})
	prometheus, err := servers.StartPrometheus(t.Context(), c.Prometheus)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, prometheus.Stop()) })
	waitValue(t, prometheus, 1, "up")

	began := time.Now().Add(-time.Second) // the start timestamp is a little earlier than the first row
	endAll(t, db, apps[0], runs)
	for _, status := range statuses {
		series := fmt.Sprintf("app_workflow_run_total{dify_workflow_run_status=%q}[1h]", status)
		waitValue(t, prometheus, runs, "max_over_time("+series+") - min_over_time("+series+")")
	}
	counted := time.Now()
	c.KillAndRestart(t)
	deliverRun(t, db, s)
	waitValue(t, prometheus, float64(len(statuses)*runs+1), "sum(app_workflow_run_total)")

	// increase() extrapolates. It must not miss the first value, nor treat the restart as a start.
	increase, err := prometheus.Value(t.Context(), `sum(increase(app_workflow_run_total{dify_app_id="`+apps[0]+`"}[1h]))`)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, increase, float64(len(statuses)*runs))
	waitValue(t, prometheus, 0, `sum(resets(app_workflow_run_total[1h]))`)
	born := s.startTimesOf(apps[0])
	assert.Len(t, born, 1, "the series of an app are born together, and once")
	for at := range born {
		assert.WithinRange(t, at, began, counted)
	}
}

// endAll writes runs of an app that have ended, the given number with each status.
func endAll(t *testing.T, db *dify, app string, runs int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, status := range statuses {
		for _, r := range newRuns(rng, runs) {
			r.app, r.trigger, r.status = app, "app-run", status
			require.NoError(t, db.insert(t.Context(), db, "workflow_runs", r.ended(time.Now())))
		}
	}
}

// waitValue waits until a PromQL expression has the value.
func waitValue(t *testing.T, prometheus *servers.Prometheus, want float64, expr string) {
	t.Helper()
	wait.For(t, expr, func(ctx context.Context) error {
		got, err := prometheus.Value(ctx, expr)
		if err == nil && got != want {
			err = fmt.Errorf("%s is %v, expected %v", expr, got, want)
		}
		return err
	})
}
