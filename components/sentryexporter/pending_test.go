// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadatatest"
)

// spanIDs returns the spans of all transactions that were accepted, the root first.
func (r *relay) spanIDs(t *testing.T) [][]string {
	t.Helper()
	var out [][]string
	for _, tx := range r.payloads(t, "transaction") {
		ids := []string{
			fmt.Sprint(at(t, tx, "contexts", "trace", "trace_id"), " ", at(t, tx, "contexts", "trace", "span_id")),
		}
		spans, _ := tx["spans"].([]any)
		for _, s := range spans {
			ids = append(ids, fmt.Sprint(at(t, s, "trace_id"), " ", at(t, s, "span_id")))
		}
		out = append(out, ids)
	}
	return out
}

// shortSpanIDs are the numbers that the test gave.
func (r *relay) shortSpanIDs(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, tx := range r.spanIDs(t) {
		var numbers []uint64
		for _, id := range tx {
			n, err := strconv.ParseUint(id[33:], 16, 64)
			require.NoError(t, err)
			numbers = append(numbers, n)
		}
		out = append(out, fmt.Sprint(numbers))
	}
	slices.Sort(out)
	return out
}

// children is a push of spans without their root.
func children(at time.Time, trace, parent uint64, ids ...uint64) ptrace.Traces {
	p := newPush(at)
	spans := p.resource()
	for _, id := range ids {
		p.span(spans, trace, id, parent, "SELECT", ptrace.SpanKindClient, "db.system", "postgresql")
	}
	return p.Traces
}

// rootOf is the root of trace 1, or of another part of it.
func rootOf(at time.Time, id uint64) ptrace.Traces {
	p := newPush(at)
	p.request(p.resource(), 1, id)
	return p.Traces
}

func TestSpansWaitForTheirRoot(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	now := time.Now()
	for _, td := range []ptrace.Traces{
		children(now, 1, 1, 2, 3), children(now, 1, 2, 4), children(now, 2, 20, 21),
		rootOf(now, 1), // with what is pending for it, in one transaction
	} {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
	}
	r.requireAccepted(t, "transaction", 1)
	assert.Equal(t, []string{"[1 2 3 4]"}, r.shortSpanIDs(t))
	metadatatest.AssertEqualExporterSentrySpansWaiting(t, h.telemetry,
		[]metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
	h.stop(t) // sends what waits
	r.requireNoFaults(t)
	assert.Equal(t, []string{"[1 2 3 4]", "[21]"}, r.shortSpanIDs(t))
	assert.Empty(t, h.discarded(t))
}

func TestSpansWhoseRootDoesNotComeAreSent(t *testing.T) {
	for name, wait := range map[string]time.Duration{"after a while": 20 * time.Millisecond, "immediately": 0} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			h := startAt(t, r, func(c *Config) { c.RootWait = wait }, nil)
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), children(time.Now(), 1, 1, 2, 3)))
			r.requireAccepted(t, "transaction", 1)
			r.requireNoFaults(t)
			assert.Equal(t, []string{"[2 3]"}, r.shortSpanIDs(t))
			spans, size := h.traces.shared.pending.Size()
			assert.Zero(t, spans)
			assert.Zero(t, size)
		})
	}
}

func TestNothingIsPendingWithoutRootWait(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.RootWait = 0 }, nil)
	td := ptrace.NewTraces()
	const parts = 3 * maxReleased
	for i := range uint64(parts) {
		children(time.Now(), i+1, 1, 2).ResourceSpans().MoveAndAppendTo(td.ResourceSpans())
	}
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
	spans, _ := h.traces.shared.pending.Size()
	assert.Zero(t, spans)
	r.requireAccepted(t, "transaction", parts)
}

func TestSpansOfAnotherRootStayPending(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	now := time.Now()
	for _, td := range []ptrace.Traces{
		children(now, 1, 1, 2), children(now, 1, 10, 11), // two requests of one trace in one process
		rootOf(now, 1), rootOf(now, 10),
	} {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
	}
	r.requireAccepted(t, "transaction", 2)
	assert.Equal(t, []string{"[1 2]", "[10 11]"}, r.shortSpanIDs(t))
}

func TestRedeliveredSpansAreSentOnce(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	now := time.Now()
	early, root, late := children(now, 1, 1, 2, 3), rootOf(now, 1), children(now, 1, 1, 4)
	for _, td := range []ptrace.Traces{early, early, root, early, late, root, late} {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
	}
	h.stop(t)
	r.requireNoFaults(t)
	assert.Equal(t, []string{"[1 2 3]", "[4]"}, r.shortSpanIDs(t))
	assert.Equal(t, map[string]int64{"duplicate transaction": 1, "duplicate span": 6}, h.discarded(t))
}

func TestPendingSpansAreBounded(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.RootWaitMiB = 1 }, nil)
	const traces = 3000
	for i := range uint64(traces) {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), children(time.Now(), i+1, 1, i+10_000, i+20_000)))
		_, size := h.traces.shared.pending.Size()
		require.LessOrEqual(t, size, 1<<20)
	}
	h.stop(t)
	r.requireNoFaults(t)
	spans := h.sent(t)["span"]
	for what, n := range h.discarded(t) { // by a slow machine: no room in the queue, no time at the shutdown
		if strings.HasSuffix(what, " span") {
			spans += n
		}
	}
	assert.EqualValues(t, 2*traces, spans)
}

// TestEverySpanIsSentOnce lets the spans of random traces come in random pushes in random order, some of them twice.
func TestEverySpanIsSentOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("OTELCOL_TEST_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("OTELCOL_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const traces, pushes = 40, 60
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.RootWait = time.Duration(random.IntN(3)) * 10 * time.Millisecond }, nil)

	now := time.Now()
	builders := make([]*push, pushes)
	spans := make([]ptrace.SpanSlice, pushes)
	for i := range builders {
		builders[i] = newPush(now)
		spans[i] = builders[i].resource()
	}
	want := map[string]int{}
	for trace := range uint64(traces) {
		for id := range uint64(1 + random.IntN(20)) {
			i := random.IntN(pushes)
			var s ptrace.Span
			if id == 0 {
				s = builders[i].request(spans[i], trace+1, 1)
			} else {
				s = builders[i].span(spans[i], trace+1, id+1, random.Uint64N(id)+1, "work", ptrace.SpanKindInternal)
			}
			want[s.TraceID().String()+" "+s.SpanID().String()]++
		}
	}
	for _, b := range builders {
		for range 1 + random.IntN(2) {
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), b.Traces))
		}
	}
	require.Eventually(t, func() bool { return h.sent(t)["span"] >= int64(len(want)) }, time.Minute, 10*time.Millisecond)
	h.stop(t)
	r.requireNoFaults(t)
	got := map[string]int{}
	for _, tx := range r.spanIDs(t) {
		for _, id := range tx {
			got[id]++
		}
	}
	assert.Equal(t, want, got)
}

func TestPendingSpansSurviveAShutdownInAnOutage(t *testing.T) {
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
	for i := range uint64(300) {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), children(time.Now(), i+1, 1, 2, 3)))
	}
	h.stop(t)
	closeDisk()
	assert.Empty(t, h.discarded(t), "stored, not lost")

	down.Store(false)
	host, closeDisk = diskHost(t, dir)
	h = startHarness(t, storedConfig(r), host, nil)
	r.requireAccepted(t, "transaction", 300)
	h.stop(t)
	closeDisk()
	assert.EqualValues(t, 600, h.sent(t)["span"])
}

func TestPendingSpansAreCountedAtAShutdownWithoutStorage(t *testing.T) {
	r := newRelay(t)
	r.respond = func(http.ResponseWriter, *envelope) int { return http.StatusServiceUnavailable }
	h := startAt(t, r, nil, nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), children(time.Now(), 1, 1, 2, 3)))
	h.stop(t)
	assert.Equal(t, map[string]int64{"send_error transaction": 1, "send_error span": 2}, h.discarded(t))
}

func TestNoTimeIsLeftAtAShutdown(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), children(time.Now(), 1, 1, 2, 3)))
	h.traces.shared.pusher.Shutdown(t.Context())
	h.stop(t)
	assert.Equal(t, map[string]int64{"buffer_overflow span": 2}, h.discarded(t))
}

func TestUnsampledSpansAreNotPending(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.TracesSampleRate = 0 }, nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), children(time.Now(), 1, 1, 2, 3)))
	spans, _ := h.traces.shared.pending.Size()
	assert.Zero(t, spans)
	assert.Equal(t, map[string]int64{"sample_rate span": 2}, h.discarded(t))
}
