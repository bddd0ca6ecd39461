// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// ofTenant is a request with an exception and a log record of a tenant.
func ofTenant(at time.Time, trace uint64, tenant string) (ptrace.Traces, plog.Logs) {
	p := newPush(at)
	s := p.request(p.resource(), trace, trace, "dify.tenant_id", tenant)
	p.exception(s, "RuntimeError", fmt.Sprint("failure ", trace), "/app/api/a.py")
	l := newRecords(at)
	l.record(plog.SeverityNumberError, "log", "dify.tenant_id", tenant)
	return p.Traces, l.Logs
}

// twoProjects routes tenant b to project 2.
func twoProjects(r *relay) func(*Config) {
	return func(c *Config) {
		c.Routes = []Route{{Attribute: "dify.tenant_id", Values: []string{"b"}, DSN: configopaque.String(r.dsn(2))}}
	}
}

// ofProject counts what a project took, by type.
func (r *relay) ofProject(project string) map[any]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := map[any]int{}
	for _, e := range r.envelopes {
		if e.header["project"] == project {
			got[e.items[0].header["type"]]++
		}
	}
	return got
}

// TestOneProjectDoesNotBlockOthers has one project fail in every way for as long as another one is served.
func TestOneProjectDoesNotBlockOthers(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter, hang <-chan struct{}) int{
		"responds with 503": func(http.ResponseWriter, <-chan struct{}) int { return http.StatusServiceUnavailable },
		"limits errors": func(w http.ResponseWriter, _ <-chan struct{}) int {
			w.Header().Set("X-Sentry-Rate-Limits", "3600:error:project")
			return http.StatusTooManyRequests
		},
		"limits all": func(w http.ResponseWriter, _ <-chan struct{}) int {
			w.Header().Set("Retry-After", "3600")
			return http.StatusTooManyRequests
		},
		"hangs": func(_ http.ResponseWriter, hang <-chan struct{}) int { <-hang; return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			healthy, failing := newRelay(t), newRelay(t)
			hang := make(chan struct{})
			t.Cleanup(func() { close(hang) })
			failing.respond = func(w http.ResponseWriter, _ *envelope) int { return fail(w, hang) }
			h := startAt(t, healthy, twoProjects(failing), nil)
			const n = 50 // more than all queues have consumers
			for i := range uint64(n) {
				td, ld := ofTenant(time.Now(), i+1, "b")
				require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
				require.NoError(t, h.logs.ConsumeLogs(t.Context(), ld))
			}
			for i := range uint64(n) {
				td, ld := ofTenant(time.Now(), i+1000, "a")
				require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
				require.NoError(t, h.logs.ConsumeLogs(t.Context(), ld))
			}
			healthy.requireAccepted(t, "event", n)
			healthy.requireAccepted(t, "transaction", n)
			healthy.requireAccepted(t, "log", n)
			h.stop(t)
			healthy.requireNoFaults(t)
		})
	}
}

func TestEachProjectGetsItsOwnOnly(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, twoProjects(r), nil)
	for i, tenant := range []string{"a", "b", "b"} {
		td, ld := ofTenant(time.Now(), uint64(i+1), tenant)
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
		require.NoError(t, h.logs.ConsumeLogs(t.Context(), ld))
	}
	h.stop(t)
	r.requireNoFaults(t)
	assert.Equal(t, map[any]int{"event": 1, "transaction": 1, "log": 1}, r.ofProject("1"))
	assert.Equal(t, map[any]int{"event": 2, "transaction": 2, "log": 2}, r.ofProject("2"))
}

// TestTraceKeepsItsRoute has spans and records that do not name the tenant come after one that does.
func TestTraceKeepsItsRoute(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, twoProjects(r), nil)
	now := time.Now()
	first := newPush(now)
	first.span(first.resource(), 1, 2, 1, "runner", ptrace.SpanKindInternal, "dify.tenant_id", "b")
	later := newPush(now)
	s := later.span(later.resource("process.pid", "2"), 1, 4, 2, "task", ptrace.SpanKindConsumer)
	later.exception(s, "RuntimeError", "x", "/app/api/a.py")
	l := newRecords(now)
	l.record(plog.SeverityNumberError, "of b").SetTraceID(traceID(1))
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), first.Traces))
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), later.Traces))
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	h.stop(t)
	r.requireNoFaults(t)
	assert.Empty(t, r.ofProject("1"))
	assert.Equal(t, map[any]int{"event": 1, "transaction": 2, "log": 1}, r.ofProject("2"))
}

// TestQueueOfAFormerProjectIsEmptied removes a route while its project's queue is not empty.
func TestQueueOfAFormerProjectIsEmptied(t *testing.T) {
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
	routed := storedConfig(r)
	twoProjects(r)(routed)
	host, closeDisk := diskHost(t, dir)
	h := startHarness(t, routed, host, nil)
	td, ld := ofTenant(time.Now(), 1, "b")
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), ld))
	h.stop(t)
	closeDisk()
	assert.Empty(t, h.discarded(t))

	down.Store(false)
	host, closeDisk = diskHost(t, dir)
	h = startHarness(t, storedConfig(r), host, nil)
	r.requireAccepted(t, "event", 1)
	r.requireAccepted(t, "transaction", 1)
	r.requireAccepted(t, "log", 1)
	h.stop(t)
	closeDisk()
	assert.Equal(t, map[any]int{"event": 1, "transaction": 1, "log": 1}, r.ofProject("1"), "where the rules now say")
}

func TestDamagedListOfQueuesStopsTheStart(t *testing.T) {
	host, closeDisk := diskHost(t, t.TempDir())
	defer closeDisk()
	client, err := host[storageID].(storage.Extension).GetClient(
		t.Context(),
		component.KindExporter,
		component.MustNewID("sentry"),
		"projects-transactions",
	)
	require.NoError(t, err)
	require.NoError(t, client.Set(t.Context(), "projects", []byte("{")))
	require.NoError(t, client.Close(t.Context()))
	r := newRelay(t)
	traces, err := NewFactory().CreateTraces(t.Context(), testSettings(), storedConfig(r))
	require.NoError(t, err)
	require.ErrorContains(t, traces.Start(t.Context(), host), "the list of queues in `sending_queue::storage` is damaged")
	require.NoError(t, traces.Shutdown(context.Background()))
}
