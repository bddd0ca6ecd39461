// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/record"
)

// promises are what the receiver guarantees on any database.
var promises = map[string]func(t *testing.T, db *database){
	"a run is reported completely":                    testWholeRecord,
	"equal timestamps across pages":                   testEqualTimestamps,
	"late commits":                                    testLateCommits,
	"a run is reported when it ends":                  testRunEnds,
	"a stuck run is reported, and again when it ends": testStuck,
	"a deleted run is not an ended one":               testDeleted,
	"start at the end":                                testStartAtEnd,
	"start at a time":                                 testStartAtTime,
	"a pipeline that refuses for a while":             testRefusal,
	"a pipeline that permanently rejects":             testPermanentRejection,
	"restart":                                         testRestart,
	"a crash between delivery and checkpoint":         testCrash,
	"a full storage":                                  testFullStorage,
	"connections cut":                                 testCutConnections,
	"a second reader waits":                           testSecondReader,
	"usage is counted once":                           testUsage,
	"one signal alone":                                testOneSignal,
	"rows are counted by status":                      testCounts,
	"rows that are not counted":                       testCountsOff,
	"runs that wait for a person":                     testWaiting,
	"runs that wait, in an old Dify":                  testWaitingWithoutPauses,
	"failed messages":                                 testFailedMessages,
	"late messages":                                   testLateMessages,
	"errors of messages that cannot be read":          testMessagesWithoutErrors,
	"workflows that are used as tools":                testCalledWorkflows,
	"a run that is not in the database":               testUnknown,
	"such a run in a hole of the table":               testUnknownInHole,
	"such a run after a start at the end":             testUnknownFromTheEnd,
	"very late commits":                               testVeryLate,
	"a restored archive is counted":                   testRestoredArchive,
	"model calls in messages":                         testMessages,
	"messages that cannot be read":                    testNoMessages,
	"failed nodes that cannot be read":                testNoFailedNodes,
	"all values of enumerations":                      testEnumerations,
	"odd rows":                                        testOddRows,
	"errors that say what to do":                      testErrors,
	"tables are measured":                             testTables,
	"tables are not measured":                         testTablesOff,
	"the contract of receivers":                       testContract,
}

func TestPostgreSQL(t *testing.T) {
	s := startPostgres(t)
	for name, promise := range promises {
		t.Run(name, func(t *testing.T) { promise(t, s.newDatabase(t)) })
	}
	t.Run(
		"older schemas",
		func(t *testing.T) { testOlderSchemas(t, func(t *testing.T) *database { return s.newDatabase(t) }) },
	)
	t.Run("no table is scanned", func(t *testing.T) { testPlansPostgres(t, s) })
	t.Run("recorded tables", func(t *testing.T) { testRecordedTables(t, s) })
	t.Run("app logs behind a young one", func(t *testing.T) { testUnknownBehindYoung(t, s.newDatabase(t)) })
	t.Run("tables that are partitioned or refused", func(t *testing.T) { testTablesPostgres(t, s.newDatabase(t)) })
	t.Run("values that are not times", func(t *testing.T) { testNoTimes(t, s.newDatabase(t)) })
}

func TestMySQL(t *testing.T) {
	s := startMySQL(t)
	for name, promise := range promises {
		t.Run(name, func(t *testing.T) { promise(t, s.newDatabase(t)) })
	}
	t.Run("wrong password", func(t *testing.T) { testWrongPassword(t, s.newDatabase(t)) })
	t.Run("older schemas", func(t *testing.T) { testOlderSchemas(t, s.newDatabase) })
	t.Run("no table is scanned", func(t *testing.T) { testPlansMySQL(t, s) })
}

func testWholeRecord(t *testing.T, db *database) {
	db.insertNames(t)
	run := newRun().as(difysemconv.StatusFailed)
	run.failure, run.tokens, run.elapsed = strings.Repeat("x", 9000), 7, 1.5
	run.createdAt = time.Date(2026, 11, 23, 9, 38, 2, 0, time.UTC)
	run.finishedAt = run.createdAt.Add(2 * time.Second)
	appLog := db.insertAppLog(t, run)
	db.insert(t, run)
	db.insertNode(t, run, "code", "")
	node := db.failNode(t, run, "bad input")
	chatflow := newRun()
	db.insert(t, chatflow)

	r := startHarness(t, db.config(), newMemory())
	r.waitDelivered(t, runEvent, run.id, chatflow.id)

	got := r.record(t, runEvent, run.id)
	assert.Equal(t, run.finishedAt, got.Timestamp().AsTime())
	assert.NotZero(t, got.ObservedTimestamp())
	assert.Equal(t, plog.SeverityNumberError, got.SeverityNumber())
	assert.Equal(t, `Workflow run of "Translate" ended as failed after 1.500 s`, got.Body().Str())
	arrival := pdatatest.Str(got.Attributes(), difysemconv.AttrArrivalTime)
	assert.Equal(t, got.ObservedTimestamp().AsTime().Format(time.RFC3339), arrival, "it ended long ago")
	got.Attributes().Remove(difysemconv.AttrArrivalTime)
	assert.Equal(t, map[string]any{
		"event.name":                         "dify.workflow.run",
		"log.record.uid":                     record.UID(runEvent, run.id),
		"dify.workflow_app_log.id":           appLog,
		"dify.tenant_id":                     testTenant,
		"dify.workspace.name":                "Acme",
		"dify.app_id":                        testApp,
		"dify.app.name":                      "Translate",
		"dify.app.mode":                      "workflow",
		"dify.workflow_id":                   testFlow,
		"dify.workflow_run_id":               run.id,
		"dify.created_from":                  "service-api",
		"dify.created_by_role":               "end_user",
		"dify.created_by":                    testUser,
		"dify.workflow_run.status":           "failed",
		"dify.workflow_run.type":             "workflow",
		"dify.workflow_run.triggered_from":   "app-run",
		"dify.workflow_run.elapsed_time":     1.5,
		"dify.workflow_run.total_tokens":     int64(7),
		"dify.workflow_run.total_steps":      int64(3),
		"dify.workflow_run.exceptions_count": int64(0),
		"dify.workflow_run.error":            strings.Repeat("x", 8192),
		"node.id":                            "n",
		"node.type":                          "llm",
		"node.execution_id":                  node,
		"dify.node.title":                    "N",
		"dify.node.error":                    "bad input",
		"dify.workflow_run.created_at":       "2026-11-23T09:38:02Z",
		"dify.workflow_run.finished_at":      "2026-11-23T09:38:04Z",
	}, got.Attributes().AsRaw())

	_, hasAppLog := r.record(t, runEvent, chatflow.id).Attributes().Get(difysemconv.AttrWorkflowAppLogID)
	assert.False(t, hasAppLog)
}

func testEqualTimestamps(t *testing.T, db *database) {
	var runs []runRow
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 23 {
		runs = append(runs, newRun().at(at.Add(time.Duration(i/10)*time.Second)))
	}
	cfg := db.config()
	cfg.PageSize = 4
	db.insert(t, runs...)
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, idsOf(runs)...)

	// And within the look-back window, behind and before the current position.
	recent := time.Now().Truncate(time.Second)
	for i := range 23 {
		runs = append(runs, newRun().at(recent.Add(-time.Duration(i/10)*time.Second)))
		db.insert(t, runs[len(runs)-1])
	}
	r.waitDelivered(t, runEvent, idsOf(runs)...)
	r.settled(t, db)
	assert.ElementsMatch(t, idsOf(runs), r.delivered(runEvent))
}

func testLateCommits(t *testing.T, db *database) {
	cfg := db.config()
	r := startHarness(t, cfg, newMemory())
	first := newRun()
	db.insert(t, first)
	r.waitDelivered(t, runEvent, first.id)

	late := newRun().at(time.Now().Add(-cfg.LookBack + time.Minute))
	lateRunning := newRun().at(time.Now().Add(-time.Minute)).as(difysemconv.StatusRunning)
	future := newRun().at(time.Now().Add(time.Hour))
	db.insert(t, future, late, lateRunning)
	r.waitDelivered(t, runEvent, first.id, late.id, future.id)
	db.end(t, lateRunning, difysemconv.StatusStopped)
	r.waitDelivered(t, runEvent, first.id, late.id, future.id, lateRunning.id)

	// A clock that is ahead does not move the position into the future.
	next := newRun()
	db.insert(t, next)
	r.waitDelivered(t, runEvent, first.id, late.id, future.id, lateRunning.id, next.id)
	r.settled(t, db)
	assert.Len(t, r.delivered(runEvent), 5)
}

func testRunEnds(t *testing.T, db *database) {
	db.insertNames(t)
	run := newRun().as(difysemconv.StatusRunning)
	db.insert(t, run)
	r := startHarness(t, db.config(), newMemory())
	labels := map[string]string{"dify.app_id": testApp}
	r.waitCounter(t, 0, difysemconv.MetricRunTotal, labels)
	r.waitCounter(t, 0, difysemconv.MetricRunFailure, labels)

	db.exec(t, "UPDATE workflow_runs SET status = 'paused' WHERE id = '%s'", run.id)
	r.settled(t, db)
	assert.Empty(t, r.delivered(runEvent))
	db.end(t, run, difysemconv.StatusPartialSucceeded)
	r.waitDelivered(t, runEvent, run.id)
	assert.Equal(t, plog.SeverityNumberWarn, r.record(t, runEvent, run.id).SeverityNumber())
	labels = map[string]string{
		"dify.app_id": testApp, "dify.app.name": "Translate", "dify.workspace.name": "Acme",
		"dify.workflow_run.status": "partial-succeeded", "dify.workflow_run.triggered_from": "app-run",
	}
	r.waitCounter(t, 1, difysemconv.MetricRunTotal, labels)
	r.waitCounter(t, 1, difysemconv.MetricRunSuccess, labels)
}

func testStuck(t *testing.T, db *database) {
	cfg := db.config()
	stuck := newRun().at(time.Now().Add(-cfg.MaxRunAge - time.Hour)).as(difysemconv.StatusRunning)
	db.insert(t, stuck)
	storage := newMemory()
	r := startHarness(t, cfg, storage)
	r.waitDelivered(t, stuckEvent, stuck.id)
	got := r.record(t, stuckEvent, stuck.id)
	assert.WithinDuration(t, stuck.createdAt.Add(cfg.MaxRunAge), got.Timestamp().AsTime(), time.Second)
	assert.NotEqual(t, record.UID(runEvent, stuck.id), pdatatest.Str(got.Attributes(), difysemconv.AttrLogRecordUID))
	r.settled(t, db)
	assert.Empty(t, r.delivered(runEvent))
	assert.Len(t, r.delivered(stuckEvent), 1)
	r.stop(t)

	// After a restart it is read at once.
	db.end(t, stuck, difysemconv.StatusFailed)
	r = startHarness(t, cfg, storage)
	r.waitDelivered(t, runEvent, stuck.id)
	assert.Empty(t, r.delivered(stuckEvent))
}

func testDeleted(t *testing.T, db *database) {
	cfg := db.config()
	cfg.LookBack = time.Second
	run := newRun().as(difysemconv.StatusRunning)
	db.insert(t, run)
	storage := newMemory()
	r := startHarness(t, cfg, storage)
	require.Eventually(
		t, func() bool { return strings.Contains(string(storage.Value("runs/open")), run.id) }, waitFor, tick,
	)
	db.exec(t, "DELETE FROM workflow_runs")
	require.Eventually(
		t, func() bool { return !strings.Contains(string(storage.Value("runs/open")), run.id) }, waitFor, tick,
	)
	assert.Empty(t, r.delivered(runEvent))
}

func testStartAtEnd(t *testing.T, db *database) {
	over := newRun().at(time.Now().Add(-time.Minute))
	running := newRun().at(time.Now().Add(-time.Hour)).as(difysemconv.StatusRunning)
	db.insert(t, over, running)
	cfg := db.config()
	cfg.StartAt = startAtEnd
	r := startHarness(t, cfg, newMemory())
	require.Eventually(t, func() bool { return r.logged("There is no checkpoint") == 1 }, waitFor, tick)
	r.settled(t, db)
	assert.Empty(t, r.delivered(runEvent))

	db.end(t, running, difysemconv.StatusSucceeded)
	after := newRun().at(time.Now())
	db.insert(t, after)
	r.waitDelivered(t, runEvent, running.id, after.id)
	r.waitCounter(t, 3, difysemconv.MetricRunTotal, nil) // including the marker of settled
}

func testStartAtTime(t *testing.T, db *database) {
	start := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	before := newRun().at(start.Add(-time.Minute))
	across := newRun().at(start.Add(-time.Minute))
	across.finishedAt = start.Add(time.Minute)
	after := newRun().at(start)
	db.insert(t, before, across, after)
	cfg := db.config()
	cfg.StartAt = start.Format(time.RFC3339)
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, across.id, after.id)
	r.settled(t, db)
	assert.NotContains(t, r.delivered(runEvent), before.id)
}

func testRefusal(t *testing.T, db *database) {
	var runs []runRow
	for range 10 {
		runs = append(runs, newRun())
	}
	db.insert(t, runs...)
	cfg := db.config()
	cfg.PageSize = 3
	storage := newMemory()
	r := newHarness(t, cfg, storage, &sink{refuse: func() error { return errRefused }})
	require.NoError(t, r.start(t.Context(), r.host))
	require.Eventually(t, func() bool { return r.attempts() >= 4 }, waitFor, tick)
	assert.Contains(t, string(storage.Value(headerKey)), `"position":{"created_at":"0001-01-01T00:00:00Z","id":""}`)
	assert.Equal(t, 1, r.logged("The logs pipeline refused records"))
	r.setRefuse(nil)
	r.waitDelivered(t, runEvent, idsOf(runs)...)
	r.waitCounter(t, 10, difysemconv.MetricRunTotal, nil)
	assert.Equal(t, 1, r.logged("accepts records again"))
}

func testPermanentRejection(t *testing.T, db *database) {
	lost := newRun()
	db.insert(t, lost)
	r := newHarness(
		t, db.config(), newMemory(), &sink{refuse: func() error { return consumererror.NewPermanent(errRefused) }},
	)
	require.NoError(t, r.start(t.Context(), r.host))
	r.waitCounter(t, 1, difysemconv.MetricRunTotal, nil)
	r.setRefuse(nil)
	next := newRun()
	db.insert(t, next)
	r.waitDelivered(t, runEvent, next.id)
	assert.Equal(t, 1, r.logged("permanently rejected records"))
}

func testRestart(t *testing.T, db *database) {
	cfg := db.config()
	factory := filestorage.NewFactory()
	storageConfig := factory.CreateDefaultConfig().(*filestorage.Config)
	storageConfig.Directory = t.TempDir()
	storageConfig.FSync = true
	open := func() component.Component {
		extension, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), storageConfig)
		require.NoError(t, err)
		require.NoError(t, extension.Start(t.Context(), nil))
		return extension
	}
	running := newRun().as(difysemconv.StatusRunning)
	first := newRun()
	db.insert(t, running, first)

	extension := open()
	r := startHarness(t, cfg, extension)
	r.waitDelivered(t, runEvent, first.id)
	r.waitCounter(t, 1, difysemconv.MetricRunTotal, nil)
	r.stop(t)
	require.NoError(t, extension.Shutdown(t.Context()))

	meanwhile := newRun().at(time.Now().Add(-time.Minute))
	db.insert(t, meanwhile)
	db.end(t, running, difysemconv.StatusStopped)
	extension = open()
	restarted := startHarness(t, cfg, extension)
	restarted.waitDelivered(t, runEvent, running.id, meanwhile.id)
	restarted.waitCounter(t, 3, difysemconv.MetricRunTotal, nil)
	restarted.settled(t, db)
	assert.Len(t, restarted.delivered(runEvent), 2)
	assert.Zero(t, restarted.logged("There is no checkpoint"))
	for _, md := range restarted.emissions() {
		assert.GreaterOrEqual(t, pdatatest.Counter(md, difysemconv.MetricRunTotal, nil), 1.0, "a counter decreased")
	}
	restarted.stop(t)
	require.NoError(t, extension.Shutdown(t.Context()))
}

func testCrash(t *testing.T, db *database) {
	cfg := db.config()
	storage := newMemory()
	first := newRun()
	db.insert(t, first)
	r := startHarness(t, cfg, storage)
	r.waitDelivered(t, runEvent, first.id)
	r.waitCounter(t, 1, difysemconv.MetricRunTotal, nil)

	// The pipeline accepts a run, and the checkpoint is not written: the counters must not be ahead of it.
	storage.SetFull(true)
	second := newRun()
	db.insert(t, second)
	r.waitDelivered(t, runEvent, first.id, second.id)
	r.stop(t)
	assert.InDelta(t, 1, r.counter(difysemconv.MetricRunTotal, nil), 0)
	storage.SetFull(false)

	restarted := startHarness(t, cfg, storage)
	restarted.waitDelivered(t, runEvent, second.id)
	restarted.waitCounter(t, 2, difysemconv.MetricRunTotal, nil)
	assert.Equal(t, pdatatest.Str(r.record(t, runEvent, second.id).Attributes(), difysemconv.AttrLogRecordUID),
		pdatatest.Str(restarted.record(t, runEvent, second.id).Attributes(), difysemconv.AttrLogRecordUID))
	assert.Equal(t, r.record(t, runEvent, second.id).Timestamp(), restarted.record(t, runEvent, second.id).Timestamp())
}

func testFullStorage(t *testing.T, db *database) {
	storage := newMemory()
	r := startHarness(t, db.config(), storage)
	first := newRun()
	db.insert(t, first)
	r.waitDelivered(t, runEvent, first.id)
	storage.SetFull(true)
	second, third := newRun(), newRun()
	db.insert(t, second)
	require.Eventually(t, func() bool { return r.host.last() == componentstatus.StatusRecoverableError }, waitFor, tick)
	db.insert(t, third)
	assert.Equal(t, 1, r.logged("Saving the checkpoint failed"))
	storage.SetFull(false)
	r.waitDelivered(t, runEvent, first.id, second.id, third.id)
	require.Eventually(t, func() bool { return r.host.last() == componentstatus.StatusOK }, waitFor, tick)
}

func testCutConnections(t *testing.T, db *database) {
	r := startHarness(t, db.config(), newMemory())
	var runs []runRow
	for range 5 {
		runs = append(runs, newRun())
		db.insert(t, runs[len(runs)-1])
		r.waitDelivered(t, runEvent, idsOf(runs)...)
		require.LessOrEqual(t, db.connections(t), 2)
		db.cutConnections(t)
	}
	require.Eventually(t, func() bool { return r.logged("works again") > 0 }, waitFor, tick)
	require.Eventually(t, func() bool { return r.host.last() == componentstatus.StatusOK }, waitFor, tick)
	for _, entry := range r.log.All() {
		assert.NotContains(t, entry.Message+entryText(entry), "hunter2")
	}
}

func testSecondReader(t *testing.T, db *database) {
	first := startHarness(t, db.config(), newMemory())
	run := newRun()
	db.insert(t, run)
	first.waitDelivered(t, runEvent, run.id)

	second := startHarness(t, db.config(), newMemory())
	require.Eventually(t, func() bool { return second.logged("this one waits") == 1 }, waitFor, tick)
	require.Eventually(
		t, func() bool { return second.host.last() == componentstatus.StatusRecoverableError }, waitFor, tick,
	)
	assert.Empty(t, second.delivered(runEvent))
	assert.InDelta(t, -1, second.counter(difysemconv.MetricRunTotal, nil), 0)

	first.stop(t)
	second.waitDelivered(t, runEvent, run.id)
	require.Eventually(t, func() bool { return second.host.last() == componentstatus.StatusOK }, waitFor, tick)
	assert.Equal(t, 1, second.logged("continues from its own checkpoint"))
}

func testUsage(t *testing.T, db *database) {
	db.insertNames(t)
	run := newRun()
	run.tokens = 600
	db.insertNode(t, run, "start", "")
	db.insertNode(t, run, "llm", `{"total_tokens": 100, "total_price": "0.25", "currency": "USD"}`)
	db.insertNode(t, run, "llm", `{"total_tokens": 200, "total_price": 0.5, "currency": "USD", "iteration_id": "i"}`)
	db.insertNode(t, run, "iteration", `{"total_tokens": 200, "total_price": 0.5, "currency": "USD"}`)
	db.insertNode(t, run, "tool", `{"total_tokens": 300, "total_price": 9, "currency": "USD"}`)
	db.insertNode(t, run, "code", `{"total_tokens": `)
	plain := newRun()
	plain.tokens = 5
	db.insert(t, run, plain)
	r := startHarness(t, db.config(), newMemory())
	r.waitDelivered(t, runEvent, run.id, plain.id)
	r.waitCounter(
		t, 305, difysemconv.MetricTokenUsage,
		map[string]string{"dify.app.name": "Translate", "gen_ai.token.type": "total"},
	)
	r.waitCounter(t, 0.75, difysemconv.MetricCost, map[string]string{"dify.usage.currency": "USD"})
	attrs := r.record(t, runEvent, run.id).Attributes().AsRaw()
	assert.InDelta(t, 0.75, attrs["dify.usage.total_price"], 1e-9)
	assert.Equal(t, "USD", attrs["dify.usage.currency"])
	assert.NotContains(t, r.record(t, runEvent, plain.id).Attributes().AsRaw(), "dify.usage.total_price")
}

func testOneSignal(t *testing.T, db *database) {
	run := newRun()
	db.insert(t, run)
	into := &sink{}
	settings := newHarness(t, db.config(), newMemory(), into).settings
	cfg, storage := db.config(), newMemory()
	metricsOnly, err := NewFactory().CreateMetrics(t.Context(), settings, cfg, into)
	require.NoError(t, err)
	require.NoError(t, metricsOnly.Start(t.Context(), newHost(storage)))
	require.Eventually(t, func() bool { return into.counter(difysemconv.MetricRunTotal, nil) == 1 }, waitFor, tick)
	require.NoError(t, metricsOnly.Shutdown(t.Context()))
	assert.Empty(t, into.delivered(runEvent))

	into = &sink{}
	logsOnly, err := NewFactory().CreateLogs(t.Context(), settings, db.config(), into)
	require.NoError(t, err)
	require.NoError(t, logsOnly.Start(t.Context(), newHost(newMemory())))
	require.Eventually(t, func() bool { return len(into.delivered(runEvent)) == 1 }, waitFor, tick)
	require.NoError(t, logsOnly.Shutdown(t.Context()))
	assert.Empty(t, into.emissions())
}

func testOddRows(t *testing.T, db *database) {
	unknownEnded := newRun().as("evaporated")
	unknownOpen := newRun().as("evaporating")
	unknownOpen.finishedAt = time.Time{}
	noEnd := newRun()
	noEnd.finishedAt = time.Time{}
	ancient := newRun().at(time.Date(1001, 1, 1, 0, 0, 0, 0, time.UTC))
	distant := newRun()
	distant.finishedAt = time.Date(9998, 1, 1, 0, 0, 0, 0, time.UTC)
	newTrigger := newRun()
	newTrigger.trigger = "telepathy"
	db.insert(t, unknownEnded, unknownOpen, noEnd, ancient, distant, newTrigger)
	db.exec(t, "UPDATE workflow_runs SET total_steps = NULL, exceptions_count = NULL")
	r := startHarness(t, db.config(), newMemory())
	r.waitDelivered(t, runEvent, unknownEnded.id, noEnd.id, ancient.id, distant.id, newTrigger.id)
	assert.WithinDuration(
		t, noEnd.createdAt.Add(time.Second), r.record(t, runEvent, noEnd.id).Timestamp().AsTime(), time.Second,
	)
	assert.WithinDuration(
		t, distant.createdAt.Add(time.Second), r.record(t, runEvent, distant.id).Timestamp().AsTime(), time.Second,
	)
	assert.WithinDuration(t, time.Now(), r.record(t, runEvent, ancient.id).Timestamp().AsTime(), time.Minute)
	assert.Equal(
		t, "evaporated", pdatatest.Str(r.record(t, runEvent, unknownEnded.id).Attributes(), difysemconv.AttrRunStatus),
	)
	r.waitCounter(t, 1, difysemconv.MetricRunTotal, map[string]string{"dify.workflow_run.status": "_OTHER"})
	r.waitCounter(t, 1, difysemconv.MetricRunSuccess, map[string]string{"dify.workflow_run.triggered_from": "_OTHER"})
	db.end(t, unknownOpen, difysemconv.StatusSucceeded)
	r.waitDelivered(t, runEvent, unknownEnded.id, noEnd.id, ancient.id, distant.id, newTrigger.id, unknownOpen.id)
}

// testNoTimes stores values that only PostgreSQL accepts in a timestamp column.
func testNoTimes(t *testing.T, db *database) {
	before, first, last, now := newRun(), newRun(), newRun(), newRun()
	db.insert(t, before, first, last, now)
	for id, text := range map[string]string{before.id: "0044-03-15 BC", first.id: "-infinity", last.id: "infinity"} {
		db.exec(t, "UPDATE workflow_runs SET created_at = '%s' WHERE id = '%s'", text, id)
	}
	storage := newMemory()
	r := startHarness(t, db.config(), storage)
	r.waitDelivered(t, runEvent, before.id, first.id, last.id, now.id)
	r.stop(t)
	next := newRun()
	db.insert(t, next)
	r = startHarness(t, db.config(), storage)
	r.waitDelivered(t, runEvent, next.id)
	r.stop(t)
}

func testErrors(t *testing.T, db *database) {
	run := newRun()
	db.insert(t, run)
	expect := func(cfg *Config, repair func(), words ...string) {
		r := startHarness(t, cfg, newMemory())
		require.Eventually(t, func() bool { return r.logged("Reading Dify's database failed") > 0 }, waitFor, tick)
		require.Eventually(t, func() bool { return r.host.last() == componentstatus.StatusRecoverableError }, waitFor, tick)
		text := entryText(r.log.FilterMessageSnippet("Reading Dify's database failed").All()[0])
		for _, word := range words {
			assert.Contains(t, text, word)
		}
		assert.NotContains(t, text, "hunter2")
		if repair != nil {
			repair()
			r.waitDelivered(t, runEvent, run.id)
		}
		r.stop(t)
	}
	db.exec(t, "ALTER TABLE tenants RENAME TO tenants_away")
	expect(
		db.config(), func() { db.exec(t, "ALTER TABLE tenants_away RENAME TO tenants") }, "tenants",
		"the table does not exist",
	)
	db.exec(t, "ALTER TABLE workflow_runs RENAME COLUMN exceptions_count TO away")
	expect(
		db.config(), func() { db.exec(t, "ALTER TABLE workflow_runs RENAME COLUMN away TO exceptions_count") },
		"exceptions_count", "migrations",
	)

	wrongDatabase := db.config()
	wrongDatabase.Database = "not_there"
	expect(wrongDatabase, nil, "not_there", "check `database`")
	wantsTLS := db.config()
	wantsTLS.TLS.Insecure = false
	expect(wantsTLS, nil, "tls::insecure: true")
	away := db.config()
	away.Port = freePort(t)
	expect(away, nil, "connect", "refused")

	role := "limited_" + db.name
	db.createRole(t, role)
	limited := db.config()
	limited.Username, limited.Password = role, "hunter2"
	expect(limited, func() { db.grant(t, role) }, "denied", "grant SELECT")
	db.dropRole(t, role)
}

func testRecordedTables(t *testing.T, s *postgresServer) {
	name := nextDatabase()
	require.NoError(t, s.run("CREATE DATABASE "+name))
	s.load(t, name, true)
	db := s.newDatabase(t)
	db.name = name
	conn, err := s.connect(name)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(
		t.Context(),
		`SELECT r.id::text, r.status, r.total_tokens, r.elapsed_time, coalesce(r.error, ''), r.finished_at,
		coalesce(l.id::text, ''),
		a.name, t.name, r.type FROM workflow_runs r JOIN apps a ON a.id = r.app_id JOIN tenants t ON t.id = r.tenant_id
		LEFT JOIN workflow_app_logs l ON l.workflow_run_id = r.id`,
	)
	require.NoError(t, err)
	defer rows.Close()

	r := startHarness(t, db.config(), newMemory())
	runs, chatflows := 0, 0
	for rows.Next() {
		var id, status, failure, appLog, app, tenant, kind string
		var tokens int64
		var elapsed float64
		var finishedAt time.Time
		require.NoError(t, rows.Scan(&id, &status, &tokens, &elapsed, &failure, &finishedAt, &appLog, &app, &tenant, &kind))
		runs++
		require.Eventually(t, func() bool { return slices.Contains(r.delivered(runEvent), id) }, waitFor, tick)
		got := r.record(t, runEvent, id)
		attrs := got.Attributes()
		assert.Equal(t, finishedAt, got.Timestamp().AsTime())
		assert.Equal(t, []string{status, failure, appLog, app, tenant, kind}, []string{
			pdatatest.Str(
				attrs, difysemconv.AttrRunStatus,
			), pdatatest.Str(attrs, difysemconv.AttrRunError), pdatatest.Str(attrs, difysemconv.AttrWorkflowAppLogID),
			pdatatest.Str(
				attrs, difysemconv.AttrAppName,
			), pdatatest.Str(attrs, difysemconv.AttrWorkspaceName), pdatatest.Str(attrs, difysemconv.AttrRunType),
		})
		assert.Equal(t, tokens, attrs.AsRaw()[difysemconv.AttrRunTotalTokens])
		assert.InDelta(t, elapsed, attrs.AsRaw()[difysemconv.AttrRunElapsedTime], 0)
		if appLog == "" {
			chatflows++
		}
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, 22, runs)
	assert.Equal(t, 6, chatflows)
	assert.Len(t, r.delivered(runEvent), runs)
	r.waitCounter(t, float64(runs), difysemconv.MetricRunTotal, nil)
	r.waitCounter(t, 6, difysemconv.MetricRunFailure, nil)
	r.waitCounter(t, 16, difysemconv.MetricRunSuccess, nil)
}
