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
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/record"
)

const unknownEvent = difysemconv.EventWorkflowUnknown

// insertOldAppLog inserts an app log as Dify's sessions do: in UTC on PostgreSQL, in the server's time zone on MySQL.
func (d *database) insertOldAppLog(t *testing.T, run runRow, age time.Duration) (id string) {
	t.Helper()
	createdAt := fmt.Sprintf("date_trunc('second', timezone('UTC', now())) - interval '%d s'", int(age.Seconds()))
	if d.driver == driverMySQL {
		createdAt = fmt.Sprintf("NOW() - INTERVAL %d SECOND", int(age.Seconds()))
	}
	id = uuid.NewString()
	d.exec(
		t,
		"INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, "+
			"created_by_role, created_by, created_at) "+
			"VALUES ('%s', '%s', '%s', '%s', '%s', 'web-app', 'end_user', '%s', %s)",
		id,
		testTenant,
		run.app,
		testFlow,
		run.id,
		testUser,
		createdAt,
	)
	return id
}

func unknownConfig(db *database) *Config {
	cfg := db.config()
	cfg.OutcomeWait = time.Second
	return cfg
}

// With Dify's log store there is no run: the app log is reported alone, once, and the run too if it appears later.
func testUnknown(t *testing.T, db *database) {
	db.insertNames(t)
	lost, running, young := newRun(), newRun().as(difysemconv.StatusRunning), newRun()
	history := newRun()
	db.insert(t, running)
	appLog := db.insertOldAppLog(t, lost, 5*time.Second)
	db.insertOldAppLog(t, history, 40*24*time.Hour)
	db.insertOldAppLog(t, running, 5*time.Second)
	storage := newMemory()
	r := startHarness(t, unknownConfig(db), storage)
	r.waitDelivered(t, unknownEvent, lost.id, history.id)

	got := r.record(t, unknownEvent, lost.id)
	assert.WithinDuration(t, time.Now().Add(-5*time.Second), got.Timestamp().AsTime(), 30*time.Second)
	assert.Equal(t, plog.SeverityNumberWarn, got.SeverityNumber())
	assert.Equal(t, `Workflow run of "Translate" is not in the database, 1s after its app log`, got.Body().Str())
	assert.Equal(t, map[string]any{
		"event.name":               "dify.workflow.unknown",
		"log.record.uid":           record.UID(unknownEvent, appLog),
		"dify.workflow_app_log.id": appLog,
		"dify.tenant_id":           testTenant,
		"dify.workspace.name":      "Acme",
		"dify.app_id":              testApp,
		"dify.app.name":            "Translate",
		"dify.app.mode":            "workflow",
		"dify.workflow_id":         testFlow,
		"dify.workflow_run_id":     lost.id,
		"dify.created_from":        "web-app",
		"dify.created_by_role":     "end_user",
		"dify.created_by":          testUser,
	}, got.Attributes().AsRaw())

	// One that becomes due while the receiver runs, and the run of the first one, which appears later.
	db.insertOldAppLog(t, young, 0)
	r.waitDelivered(t, unknownEvent, lost.id, history.id, young.id)
	db.insert(t, lost)
	r.waitDelivered(t, runEvent, lost.id)
	r.waitCounter(t, 1, difysemconv.MetricRunTotal, nil)
	r.stop(t)

	again := startHarness(t, unknownConfig(db), storage)
	after := newRun()
	db.insertOldAppLog(t, after, 2*time.Second)
	again.waitDelivered(t, unknownEvent, after.id)
	again.settled(t, db)
	assert.Equal(t, []string{after.id}, again.delivered(unknownEvent))
}

// A row may take the place of a deleted one, before everything that has been read.
func testUnknownInHole(t *testing.T, db *database) {
	var deleted []runRow
	for range 300 {
		deleted = append(deleted, newRun())
	}
	last := newRun()
	for _, run := range deleted {
		db.insertOldAppLog(t, run, 25*time.Hour)
	}
	db.insertOldAppLog(t, last, 5*time.Second)
	r := startHarness(t, unknownConfig(db), newMemory())
	r.waitDelivered(t, unknownEvent, append(idsOf(deleted), last.id)...)
	for _, run := range deleted[:290] {
		db.exec(t, "DELETE FROM workflow_app_logs WHERE workflow_run_id = '%s'", run.id)
	}
	if db.driver == driverPostgreSQL {
		db.exec(t, "VACUUM workflow_app_logs")
	}
	hole := newRun()
	db.insertOldAppLog(t, hole, 2*time.Second)
	r.waitDelivered(t, unknownEvent, append(idsOf(deleted), last.id, hole.id)...)
	r.settled(t, db)
	assert.Len(t, r.delivered(unknownEvent), len(deleted)+2)
}

// A young row near the beginning of the table does not hide the old rows after it.
func testUnknownBehindYoung(t *testing.T, db *database) {
	const old = 5000 // more than is read at once
	db.insertOldAppLog(t, newRun(), 0)
	db.exec(
		t,
		"INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, "+
			"created_by_role, created_by, created_at) "+
			"SELECT gen_random_uuid(), tenant_id, app_id, workflow_id, gen_random_uuid(), created_from, created_by_role, "+
			"created_by, created_at - interval '40 days' "+
			"FROM workflow_app_logs, generate_series(1, %d)",
		old,
	)
	cfg := db.config()
	cfg.OutcomeWait = time.Hour
	r := startHarness(t, cfg, newMemory())
	require.Eventually(t, func() bool { return len(r.delivered(unknownEvent)) == old }, waitFor, tick)
}

func testUnknownFromTheEnd(t *testing.T, db *database) {
	db.insertOldAppLog(t, newRun(), 10*time.Second)
	cfg := unknownConfig(db)
	cfg.StartAt = startAtEnd
	r := startHarness(t, cfg, newMemory())
	require.Eventually(t, func() bool { return r.logged("There is no checkpoint") == 1 }, waitFor, tick)
	after := newRun()
	db.insertOldAppLog(t, after, -2*time.Second)
	r.waitDelivered(t, unknownEvent, after.id)
}

// Runs that become visible later than look_back are reported; those that are too old by then are counted.
func testVeryLate(t *testing.T, db *database) {
	cfg := db.config()
	cfg.LookBack, cfg.MaxRunAge = time.Second, time.Hour
	first := newRun()
	db.insert(t, first)
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, first.id)
	late := newRun().at(time.Now().Add(-50 * time.Minute))
	lateRunning := newRun().at(time.Now().Add(-20 * time.Minute)).as(difysemconv.StatusRunning)
	tooOld := newRun().at(time.Now().Add(-3 * time.Hour))
	db.insert(t, late, lateRunning, tooOld)
	r.waitDelivered(t, runEvent, first.id, late.id)
	db.end(t, lateRunning, difysemconv.StatusStopped)
	r.waitDelivered(t, runEvent, first.id, late.id, lateRunning.id)
	r.waitCounter(t, 3, difysemconv.MetricRunTotal, nil)
	r.settled(t, db)
	assert.Len(t, r.delivered(runEvent), 3)
}

func testRestoredArchive(t *testing.T, db *database) {
	cfg := db.config()
	cfg.LookBack, cfg.MaxRunAge = time.Second, 2*time.Second
	kept, first := newRun().at(time.Now().Add(-30*24*time.Hour)), newRun()
	db.insert(t, kept, first)
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, kept.id, first.id)
	r.settled(t, db) // the first count is complete
	var restored []runRow
	for i := range 12 {
		restored = append(restored, newRun().at(time.Now().Add(-time.Duration(20+i/4)*24*time.Hour)))
	}
	db.insert(t, restored...)
	require.Eventually(t, func() bool { // a count may fall between two of them
		counted := int64(0)
		for _, entry := range r.log.FilterMessageSnippet("older than max_run_age").All() {
			counted += entry.ContextMap()["runs"].(int64)
		}
		return counted == int64(len(restored))
	}, waitFor, tick)
	assert.Len(t, r.delivered(runEvent), 2)
}

// insertMessage inserts what Dify writes when a model begins to answer.
func (d *database) insertMessage(t *testing.T, model, invokeFrom string, run *runRow) (id string) {
	t.Helper()
	id = uuid.NewString()
	runID := "NULL"
	if run != nil {
		runID = "'" + run.id + "'"
	}
	createdAt := sqlTime(time.Now())
	if d.driver == driverMySQL { // the database sets it, in its own time zone
		createdAt = "NOW()"
	}
	provider := "NULL"
	if model != "" {
		provider = "'langgenius/openai/openai'"
	}
	d.exec(
		t,
		"INSERT INTO messages (id, app_id, model_provider, model_id, conversation_id, inputs, query, message, "+
			"message_unit_price, answer, "+
			"answer_unit_price, currency, from_source, invoke_from, workflow_run_id, created_at) VALUES ('%s', '%s', %s, %s, "+
			"'%s', '{}', 'secret', '{}', 0, '', 0, "+
			"'USD', 'api', '%s', %s, %s)",
		id,
		testApp,
		provider,
		quoteOrNull(model),
		uuid.NewString(),
		invokeFrom,
		runID,
		createdAt,
	)
	return id
}

func (d *database) answer(t *testing.T, message string, input, output int, price float64) {
	t.Helper()
	d.exec(
		t,
		"UPDATE messages SET message_tokens = %d, answer_tokens = %d, total_price = %g, provider_response_latency = 1.5 "+
			"WHERE id = '%s'",
		input,
		output,
		price,
		message,
	)
}

// A model's call is counted by its message or, in a chatflow, by the run.
func testMessages(t *testing.T, db *database) {
	db.insertNames(t)
	answered := db.insertMessage(t, "gpt-4o", "service-api", nil)
	db.answer(t, answered, 100, 20, 0.25)
	storage := newMemory()
	r := startHarness(t, db.config(), storage)
	tokens := func(model, kind, trigger string) map[string]string {
		return map[string]string{
			"dify.app.name": "Translate", "dify.workspace.name": "Acme", "gen_ai.request.model": model,
			"gen_ai.provider.name": "langgenius/openai/openai", "gen_ai.token.type": kind,
			"dify.workflow_run.triggered_from": trigger,
		}
	}
	r.waitCounter(t, 100, difysemconv.MetricTokenUsage, tokens("gpt-4o", "input", "app-run"))
	r.waitCounter(t, 20, difysemconv.MetricTokenUsage, tokens("gpt-4o", "output", "app-run"))
	r.waitCounter(
		t, 0.25, difysemconv.MetricCost, map[string]string{"gen_ai.request.model": "gpt-4o", "dify.usage.currency": "USD"},
	)

	begun := db.insertMessage(t, "gpt-4o", "debugger", nil)
	chatflow := newRun()
	chatflow.tokens = 7
	message := db.insertMessage(t, "", "web-app", &chatflow)
	db.answer(t, message, 5, 2, 0.5)
	db.insert(t, chatflow)
	r.waitCounter(t, 7, difysemconv.MetricTokenUsage, map[string]string{"gen_ai.token.type": "total"})
	r.stop(t)

	db.answer(t, begun, 10, 3, 0.125)
	r = startHarness(t, db.config(), storage)
	r.waitCounter(t, 10, difysemconv.MetricTokenUsage, tokens("gpt-4o", "input", "debugging"))
	r.waitCounter(t, 140, difysemconv.MetricTokenUsage, nil)
	r.waitCounter(t, 0.375, difysemconv.MetricCost, nil)
	r.settled(t, db)
	assert.InDelta(t, 140, r.counter(difysemconv.MetricTokenUsage, nil), 0)
}

// Without the privilege to read messages the rest continues, and logs it once.
func testNoMessages(t *testing.T, db *database) {
	db.exec(t, "ALTER TABLE messages RENAME TO messages_away")
	run := newRun()
	db.insert(t, run)
	r := startHarness(t, db.config(), newMemory())
	r.waitDelivered(t, runEvent, run.id)
	db.cutConnections(t)
	r.settled(t, db)
	assert.Equal(t, 1, r.logged("The table messages, or a column of it, cannot be read"))

	db.exec(t, "ALTER TABLE messages_away RENAME TO messages")
	db.answer(t, db.insertMessage(t, "gpt-4o", "service-api", nil), 1, 2, 0)
	db.cutConnections(t)
	r.waitCounter(t, 3, difysemconv.MetricTokenUsage, nil)
	require.Eventually(t, func() bool { return r.host.last() == componentstatus.StatusOK }, waitFor, tick)
}

func testNoFailedNodes(t *testing.T, db *database) {
	db.exec(t, "ALTER TABLE workflow_node_executions RENAME COLUMN title TO title_away")
	run := newRun().as(difysemconv.StatusFailed)
	db.insert(t, run)
	r := startHarness(t, db.config(), newMemory())
	r.waitDelivered(t, runEvent, run.id)
	db.cutConnections(t)
	r.settled(t, db)
	assert.Equal(t, 1, r.logged("The table workflow_node_executions, or a column of it, cannot be read"))
}

// testEnumerations reports every value that Dify has for a column, as a record and as a label.
func testEnumerations(t *testing.T, db *database) {
	var ids []string
	insert := func(run runRow, column, value string) {
		db.insert(t, run)
		if column != "" {
			db.exec(t, "UPDATE workflow_runs SET %s = '%s' WHERE id = '%s'", column, value, run.id)
		}
		ids = append(ids, run.id)
	}
	want := map[string]map[string]string{}
	expect := func(run runRow, attribute, value string) { want[run.id] = map[string]string{attribute: value} }
	for _, status := range []string{"succeeded", "failed", "partial-succeeded", "stopped"} {
		run := newRun().as(status)
		insert(run, "", "")
		expect(run, difysemconv.AttrRunStatus, status)
	}
	for _, status := range []string{"running", "paused", "scheduled"} {
		run := newRun().as(status)
		run.finishedAt = time.Time{}
		db.insert(t, run)
	}
	for _, trigger := range []string{
		"debugging", "app-run", "rag-pipeline-run", "rag-pipeline-debugging", "webhook", "schedule", "plugin",
	} {
		run := newRun()
		run.trigger = trigger
		insert(run, "", "")
		expect(run, difysemconv.AttrRunTriggeredFrom, trigger)
	}
	for _, kind := range []string{"workflow", "chat", "rag-pipeline", "snippet"} {
		run := newRun()
		insert(run, "type", kind)
		expect(run, difysemconv.AttrRunType, kind)
	}
	for stored, reported := range map[string]string{
		"account": "account", "end_user": "end_user", "end-user": "end_user",
	} {
		run := newRun()
		insert(run, "created_by_role", stored)
		expect(run, difysemconv.AttrCreatedByRole, reported)
	}
	for _, from := range []string{"service-api", "web-app", "installed-app", "openapi"} {
		run := newRun()
		db.insertAppLog(t, run)
		db.exec(t, "UPDATE workflow_app_logs SET created_from = '%s' WHERE workflow_run_id = '%s'", from, run.id)
		insert(run, "", "")
		expect(run, difysemconv.AttrCreatedFrom, from)
	}
	r := startHarness(t, db.config(), newMemory())
	r.waitDelivered(t, runEvent, ids...)
	for id, attributes := range want {
		for attribute, value := range attributes {
			assert.Equal(t, value, pdatatest.Str(r.record(t, runEvent, id).Attributes(), attribute))
		}
	}
	r.waitCounter(t, float64(len(ids)), difysemconv.MetricRunTotal, nil)
	for _, trigger := range outcome.Triggers {
		assert.Positive(
			t, r.counter(difysemconv.MetricRunTotal, map[string]string{difysemconv.AttrRunTriggeredFrom: trigger}), trigger,
		)
	}
}
