// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
)

const waitingEvent = difysemconv.EventWorkflowWaiting

// pause makes a run wait for a person, as Dify does.
func (d *database) pause(t *testing.T, run runRow, since time.Time, reason string) {
	t.Helper()
	pause, form := uuid.NewString(), uuid.NewString()
	d.exec(t, "INSERT INTO workflow_pauses (id, workflow_id, workflow_run_id, state_object_key, created_at) "+
		"VALUES ('%s', '%s', '%s', 'secret', %s)", pause, testFlow, run.id, sqlTime(since))
	d.exec(t, "INSERT INTO workflow_pause_reasons (id, pause_id, type, form_id, message, node_id) "+
		"VALUES ('%s', '%s', '%s', '%s', 'secret', 'ask')", uuid.NewString(), pause, reason, form)
	d.exec(t, "INSERT INTO human_input_forms (id, tenant_id, app_id, workflow_run_id, node_id, form_definition, "+
		"rendered_content, status, expiration_time) VALUES ('%s', '%s', '%s', '%s', 'ask', 'secret', 'secret', 'waiting', %s)",
		form, testTenant, testApp, run.id, sqlTime(since.Add(72*time.Hour)))
}

func (s *sink) waitingGauge(name, reason string) float64 {
	all := s.emissions()
	if len(all) == 0 {
		return -1
	}
	metric := pdatatest.Metric(all[len(all)-1], name)
	if metric.Name() == "" {
		return -1
	}
	for _, point := range metric.Gauge().DataPoints().All() {
		if pdatatest.Str(point.Attributes(), difysemconv.AttrPauseReason) == reason {
			return point.DoubleValue() + float64(point.IntValue())
		}
	}
	return -1
}

// A run that waits for a person is reported as waiting and never as stuck, not even when it goes on. It is stuck if it
// does not end after that.
func testWaiting(t *testing.T, db *database) {
	cfg := db.config()
	db.insertNames(t)
	waiting := newRun().at(time.Now().Add(-5 * 24 * time.Hour)).as(difysemconv.StatusPaused)
	since := waiting.createdAt.Add(time.Hour).Truncate(time.Second)
	young := newRun().at(time.Now().Add(-2 * cfg.MaxRunAge)).as(difysemconv.StatusPaused)
	resumed := newRun().at(time.Now().Add(-3 * 24 * time.Hour)).as(difysemconv.StatusRunning)
	scheduled := newRun().as(difysemconv.StatusPaused)
	db.insert(t, waiting, young, resumed, scheduled)
	db.pause(t, waiting, since, "human_input_required")
	db.pause(t, young, time.Now().Add(-time.Hour), "human_input_required")
	db.pause(t, resumed, resumed.createdAt, "human_input_required")
	db.pause(t, scheduled, time.Now(), "something new")
	db.exec(t, "UPDATE workflow_pauses SET resumed_at = %s WHERE workflow_run_id = '%s'",
		sqlTime(time.Now().Add(-time.Hour)), resumed.id)
	storage := newMemory()
	r := startHarness(t, cfg, storage)
	r.waitDelivered(t, waitingEvent, waiting.id)
	got := r.record(t, waitingEvent, waiting.id)
	assert.Equal(t, plog.SeverityNumberInfo, got.SeverityNumber())
	assert.Equal(t, `Workflow run of "Translate" has been waiting for a person since `+since.Format(time.RFC3339),
		got.Body().Str())
	assert.WithinDuration(t, since.Add(cfg.MaxRunAge), got.Timestamp().AsTime(), time.Second)
	attrs := got.Attributes().AsRaw()
	assert.Equal(t, since.Format(time.RFC3339Nano), attrs["dify.workflow_pause.since"])
	assert.Equal(t, "human_input_required", attrs["dify.workflow_pause.reason"])
	assert.Equal(t, since.Add(72*time.Hour).Format(time.RFC3339Nano), attrs["dify.workflow_pause.expires_at"])
	assert.Equal(t, "ask", attrs["node.id"])
	assert.NotContains(t, fmt.Sprint(attrs), "secret")
	require.Eventually(t, func() bool {
		return r.waitingGauge(difysemconv.MetricRunWaiting, "human_input_required") == 2 &&
			r.waitingGauge(difysemconv.MetricRunWaiting, "_OTHER") == 1
	}, waitFor, tick)
	assert.InDelta(t, time.Since(since).Seconds(),
		r.waitingGauge(difysemconv.MetricRunWaitingAge, "human_input_required"), 600)
	r.settled(t, db)
	assert.Empty(t, r.delivered(stuckEvent))
	assert.Len(t, r.delivered(waitingEvent), 1)
	r.stop(t)

	// It goes on, which is not seen until the receiver runs again.
	db.exec(t, "UPDATE workflow_pauses SET resumed_at = %s WHERE workflow_run_id = '%s'", sqlTime(time.Now()), waiting.id)
	db.exec(t, "UPDATE workflow_runs SET status = 'running' WHERE id = '%s'", waiting.id)
	r = startHarness(t, cfg, storage)
	r.settled(t, db)
	require.Eventually(t, func() bool {
		return r.waitingGauge(difysemconv.MetricRunWaiting, "human_input_required") == 1
	}, waitFor, tick)
	db.exec(t, "UPDATE workflow_pauses SET resumed_at = %s WHERE workflow_run_id = '%s'",
		sqlTime(time.Now().Add(-2*cfg.MaxRunAge)), resumed.id)
	r.waitDelivered(t, stuckEvent, resumed.id)
	db.end(t, waiting, difysemconv.StatusSucceeded)
	r.waitDelivered(t, runEvent, waiting.id)
	r.settled(t, db)
	assert.Empty(t, r.delivered(waitingEvent))
	assert.Len(t, r.delivered(stuckEvent), 1)
}

// Without the tables of pauses, as before Dify 1.10, a paused run is not stuck either.
func testWaitingWithoutPauses(t *testing.T, db *database) {
	db.exec(t, "DROP TABLE workflow_pauses")
	db.exec(t, "DROP TABLE workflow_pause_reasons")
	cfg := db.config()
	run := newRun().at(time.Now().Add(-2 * cfg.MaxRunAge)).as(difysemconv.StatusPaused)
	db.insert(t, run)
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, waitingEvent, run.id)
	require.Eventually(t, func() bool {
		return r.waitingGauge(difysemconv.MetricRunWaiting, "unknown") == 1
	}, waitFor, tick)
	db.exec(t, "UPDATE workflow_runs SET status = 'running' WHERE id = '%s'", run.id)
	r.settled(t, db)
	r.settled(t, db)
	assert.Empty(t, r.delivered(stuckEvent), "it has just gone on")
	assert.Equal(t, 1, r.logged("does not have all optional tables"))
}
