// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

var storageID = component.MustNewIDWithName("file_storage", "queue")

// diskHost has a real file_storage in a directory.
func diskHost(t *testing.T, dir string) (hostWith, func()) {
	t.Helper()
	factory := filestorage.NewFactory()
	cfg := factory.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = dir
	ext, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), nil))
	return hostWith{storageID: ext}, func() { require.NoError(t, ext.Shutdown(context.Background())) }
}

// storedConfig waits and queues on disk.
func storedConfig(r *relay) *Config {
	cfg := testConfig(r.dsn(1))
	cfg.Storage = &storageID
	cfg.QueueConfig.Get().StorageID = &storageID
	return cfg
}

func runRecord(run string) plog.Logs {
	l := newRecords(time.Now())
	l.failedRun(run, "Run failed: node 'LLM 1' took 12 s")
	return l.Logs
}

func exceptionOfRun(p *push, run string) *push {
	s := p.request(p.resource(), 1, 1, difysemconv.AttrWorkflowRunID, run)
	p.exception(s, "RuntimeError", "the true cause", "/app/api/a.py")
	return p
}

func TestFailedRunIsReportedIfNothingSupersedesIt(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.RunWindow = 20 * time.Millisecond }, nil)
	for range 2 {
		require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("run-1")))
	}
	r.requireAccepted(t, "event", 1)
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("run-1")), "redelivered later")
	h.stop(t)
	r.requireNoFaults(t)
	require.Len(t, r.raw("event"), 1)
	ev := r.payloads(t, "event")[0]
	assert.Equal(t, []any{"error", "node <text> took <n> s"}, ev["fingerprint"])
	assert.Equal(t, "WorkflowRunFailed", at(t, ev, "exception", "values", 0, "type"))
	assert.Equal(t, "node 'LLM 1' took 12 s", at(t, ev, "exception", "values", 0, "value"))
	assert.Equal(t, "run-1", at(t, ev, "tags", "dify.workflow_run_id"))
	assert.Equal(t, "app-1", at(t, ev, "tags", "dify.app_id"))
	assert.Equal(t, "Main", at(t, ev, "tags", "dify.workspace.name"))
	assert.Equal(t, map[string]any{"id": "user-1"}, ev["user"])
	assert.EqualValues(t, 2, h.discarded(t)["duplicate error"])
	r.requireAccepted(t, "log", 1) // the record is a Sentry log as well, once
}

func TestFailedRunOfAKnownClass(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.RunWindow = 0 }, nil)
	l := newRecords(time.Now())
	l.failedRun("run-1", "core.errors.SandboxError: code 7")
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	r.requireAccepted(t, "event", 1)
	ev := r.payloads(t, "event")[0]
	assert.Equal(t, []any{"SandboxError", "code <n>"}, ev["fingerprint"])
	assert.Equal(t, "SandboxError", at(t, ev, "exception", "values", 0, "type"))
	assert.Equal(t, "code 7", at(t, ev, "exception", "values", 0, "value"))
}

func TestOtherRunsAreNotReported(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.RunWindow = 0 }, nil)
	l := newRecords(time.Now())
	for i, status := range []string{
		difysemconv.StatusSucceeded, difysemconv.StatusPartialSucceeded, difysemconv.StatusStopped,
	} {
		rec := l.failedRun(fmt.Sprint("run-", i), "x")
		rec.Attributes().PutStr(difysemconv.AttrRunStatus, status)
		rec.SetSeverityNumber(plog.SeverityNumberInfo)
	}
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	h.stop(t)
	assert.Empty(t, r.envelopes)
}

func TestExceptionSupersedesTheRun(t *testing.T) {
	for name, order := range map[string][]string{"before": {"exception", "run"}, "after": {"run", "exception"}} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			h := startAt(t, r, nil, nil)
			for _, what := range order {
				if what == "run" {
					require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("run-1")))
				} else {
					require.NoError(t, h.traces.ConsumeTraces(t.Context(), exceptionOfRun(newPush(time.Now()), "run-1").Traces))
				}
			}
			require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("run-2")))
			h.stop(t) // reports what is pending in memory
			var got []any
			for _, ev := range r.payloads(t, "event") {
				got = append(got, at(t, ev, "exception", "values", 0, "value"))
			}
			assert.ElementsMatch(t, []any{"the true cause", "node 'LLM 1' took 12 s"}, got)
			assert.EqualValues(t, 1, h.discarded(t)["run_superseded error"])
		})
	}
}

// TestExceptionSupersedesAllItsRuns has an exception pass the spans of two runs, the second of which a workflow called
// as a tool. The span on which it happened names no run.
func TestExceptionSupersedesAllItsRuns(t *testing.T) {
	for name, together := range map[string]bool{"in one push": true, "in a push each": false} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			h := startAt(t, r, nil, nil)
			p := newPush(time.Now())
			spans := p.resource()
			for i, attrs := range [][]string{
				nil, {difysemconv.AttrWorkflowRunID, "inner"}, {difysemconv.AttrWorkflowRunID, "outer"},
			} {
				s := p.span(spans, 1, uint64(10-i), uint64(9-i), "work", ptrace.SpanKindInternal, attrs...)
				p.exception(s, "RuntimeError", "the true cause", "/app/api/a.py")
				if !together {
					require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
					p = newPush(time.Now())
					spans = p.resource()
				}
			}
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
			require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("inner")))
			require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("outer")))
			h.stop(t)
			r.requireNoFaults(t)
			require.Len(t, r.raw("event"), 1)
			assert.Equal(t, map[string]int64{"duplicate error": 2, "run_superseded error": 2}, h.discarded(t))
		})
	}
}

func TestIgnoredExceptionDoesNotSupersede(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	s := p.request(p.resource(), 1, 1, difysemconv.AttrWorkflowRunID, "run-1")
	p.exception(s, "ValueError", "ignored", "/app/api/a.py")
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("run-1")))
	h.stop(t)
	assert.Len(t, r.raw("event"), 1)
}

func TestRunsArePendingOnDiskAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	r := newRelay(t)
	cfg := storedConfig(r)
	host, closeDisk := diskHost(t, dir)
	h := startHarness(t, cfg, host, nil)
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("waits")))
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), exceptionOfRun(newPush(time.Now()), "superseded").Traces))
	h.stop(t)
	closeDisk()
	require.Len(t, r.raw("event"), 1, "what waits stays on disk")

	cfg = storedConfig(r)
	cfg.RunWindow = time.Hour
	host, closeDisk = diskHost(t, dir)
	later := func() time.Time { return time.Now().Add(time.Minute) }
	h = startHarness(t, cfg, host, later)
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("superseded")), "an exception was sent before")
	r.requireAccepted(t, "event", 2)
	assert.Equal(t, "waits", at(t, r.payloads(t, "event")[1], "tags", "dify.workflow_run_id"))
	h.stop(t)
	closeDisk()

	host, closeDisk = diskHost(t, dir)
	h = startHarness(t, storedConfig(r), host, later)
	assert.Zero(t, h.traces.shared.waiting.store.Len(), "nothing is left")
	h.stop(t)
	closeDisk()
	assert.Len(t, r.raw("event"), 2)
}

func TestQueueOnDiskSurvivesAnOutage(t *testing.T) {
	dir := t.TempDir()
	r := newRelay(t)
	var down atomic.Bool
	down.Store(true)
	r.respond = func(http.ResponseWriter, *envelope) int {
		if down.Load() {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	host, closeDisk := diskHost(t, dir)
	h := startHarness(t, storedConfig(r), host, nil)
	for i := range uint64(25) {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
	}
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), logsOf(time.Now(), 3)))
	h.stop(t)
	closeDisk()
	assert.Empty(t, h.discarded(t), "kept, not lost")
	assert.Zero(t, h.messages.FilterMessageSnippet("Dropping data").Len(), "and no log line claims a loss")
	assert.NotZero(t, h.messages.FilterMessageSnippet("Will retry").Len())

	down.Store(false)
	host, closeDisk = diskHost(t, dir)
	h = startHarness(t, storedConfig(r), host, nil)
	r.requireAccepted(t, "event", 25)
	r.requireAccepted(t, "transaction", 25)
	r.requireAccepted(t, "log", 1)
	h.stop(t)
	closeDisk()
	r.requireNoFaults(t)
	ids := map[any]bool{}
	for _, e := range r.envelopes {
		if id := e.header["event_id"]; id != nil {
			assert.False(t, ids[id])
			ids[id] = true
		}
	}
	assert.Len(t, ids, 50)
}

// TestRunThatFindsTheQueueFullStaysPending fills the queue of errors with a server that does not respond.
func TestRunThatFindsTheQueueFullStaysPending(t *testing.T) {
	for name, stored := range map[string]bool{"in memory": false, "on disk": true} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			var full atomic.Bool
			full.Store(true)
			release := make(chan struct{})
			r.respond = func(http.ResponseWriter, *envelope) int {
				if full.Load() {
					<-release
				}
				return 0
			}
			host, closeDisk := diskHost(t, t.TempDir())
			cfg := testConfig(r.dsn(1))
			if stored {
				cfg = storedConfig(r)
			}
			cfg.RunWindow = 10 * time.Millisecond
			cfg.QueueConfig.Get().QueueSize, cfg.QueueConfig.Get().NumConsumers = 1, 1
			h := startHarness(t, cfg, host, nil)
			for i := range uint64(5) { // one under way, one in the queue
				require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
			}
			require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("run-1")))
			waited := h.traces.shared.waiting.store
			firstDue := time.Now().Add(cfg.RunWindow)
			require.Eventually(t, func() bool {
				due, waits := waited.NextDue()
				return waits && due.After(firstDue)
			}, 20*time.Second, time.Millisecond, "it is to be tried again later")
			full.Store(false)
			close(release)
			require.Eventually(t, func() bool { return waited.Len() == 0 }, 20*time.Second, time.Millisecond)
			h.stop(t)
			closeDisk()
			reported := 0
			for _, ev := range r.payloads(t, "event") {
				if at(t, ev, "exception", "values", 0, "type") == "WorkflowRunFailed" {
					reported++
				}
			}
			assert.Equal(t, 1, reported)
		})
	}
}

func TestRunWithoutRoomIsCountedAtTheEnd(t *testing.T) {
	r := newRelay(t)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	r.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang })
	h := startAt(t, r, func(c *Config) { c.QueueConfig.Get().QueueSize, c.QueueConfig.Get().NumConsumers = 1, 1 }, nil)
	for i := range uint64(5) { // one under way, one in the queue
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
	}
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("run-1")))
	h.stop(t)
	lost := int64(0)
	for what, n := range h.discarded(t) {
		if strings.HasSuffix(what, " error") {
			lost += n
		}
	}
	assert.EqualValues(t, 6, lost)
}

func TestDamagedRunsStopTheStart(t *testing.T) {
	dir := t.TempDir()
	host, closeDisk := diskHost(t, dir)
	defer closeDisk()
	client, err := host[storageID].(storage.Extension).GetClient(
		t.Context(),
		component.KindExporter,
		component.MustNewID("sentry"),
		"runs",
	)
	require.NoError(t, err)
	require.NoError(t, client.Set(t.Context(), "runs-07", []byte(`{"version":99}`)))
	require.NoError(t, client.Close(t.Context()))
	r := newRelay(t)
	set := testSettings()
	traces, err := NewFactory().CreateTraces(t.Context(), set, storedConfig(r))
	require.NoError(t, err)
	require.ErrorContains(
		t,
		traces.Start(t.Context(), host),
		"the pending failed runs in `storage` are damaged or were written by a newer version",
	)
	require.NoError(t, traces.Shutdown(t.Context()))
}
