// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
)

// failing is a request with an exception: one event and one transaction.
func failing(at time.Time, trace uint64) ptrace.Traces {
	p := newPush(at)
	s := p.request(p.resource(), trace, trace)
	p.exception(s, "RuntimeError", fmt.Sprint("failure ", trace), "/app/api/a.py")
	return p.Traces
}

func logsOf(at time.Time, n int) plog.Logs {
	l := newRecords(at)
	for i := range n {
		l.record(plog.SeverityNumberError, fmt.Sprint("log ", i))
	}
	return l.Logs
}

func (e *envelope) has(typ string) bool {
	for _, i := range e.items {
		if i.header["type"] == typ {
			return true
		}
	}
	return false
}

func TestRetryKeepsTheIDAndRenewsTheTime(t *testing.T) {
	r := newRelay(t)
	var ids, times []any
	r.respond = func(_ http.ResponseWriter, e *envelope) int {
		if !e.has("event") {
			return 0
		}
		ids, times = append(ids, e.header["event_id"]), append(times, e.header["sent_at"])
		if len(ids) < 3 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	h := startAt(t, r, nil, nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	r.requireAccepted(t, "event", 1)
	r.requireAccepted(t, "transaction", 1)
	h.stop(t)
	require.Len(t, ids, 3)
	assert.Equal(t, ids[0], ids[1])
	assert.Equal(t, ids[0], ids[2])
	assert.NotEqual(t, times[0], times[1])
	assert.NotEqual(t, times[1], times[2])
	assert.Equal(t, map[string]int64{"error": 1, "transaction": 1, "span": 1}, h.sent(t))
	assert.Empty(t, h.discarded(t))
}

func TestWhatWasAcceptedIsNotSentAgain(t *testing.T) {
	r := newRelay(t)
	attempts := map[any]int{}
	r.respond = func(_ http.ResponseWriter, e *envelope) int {
		attempts[e.header["event_id"]]++
		if r.requests%3 == 0 && r.requests < 60 { // some in each request fail
			return http.StatusBadGateway
		}
		return 0
	}
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	spans := p.resource()
	for i := range uint64(20) {
		p.exception(p.request(spans, i+1, i+1), "RuntimeError", strconv.FormatUint(i, 10), "/app/api/a.py")
	}
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	r.requireAccepted(t, "event", 20)
	r.requireAccepted(t, "transaction", 20)
	h.stop(t)
	ids := map[any]bool{}
	for _, e := range r.envelopes {
		assert.False(t, ids[e.header["event_id"]], "accepted twice")
		ids[e.header["event_id"]] = true
	}
	assert.Len(t, ids, 40)
	assert.Equal(t, map[string]int64{"error": 20, "transaction": 20, "span": 20}, h.sent(t))
}

func TestLimitedErrorsWaitWhileOthersGoOn(t *testing.T) {
	r := newRelay(t)
	var open atomic.Bool
	r.respond = func(w http.ResponseWriter, e *envelope) int {
		if e.has("event") && !open.Load() {
			w.Header().Set("X-Sentry-Rate-Limits", "0.05:error:key:quota")
			return http.StatusTooManyRequests
		}
		return 0
	}
	h := startAt(t, r, nil, nil)
	for i := range uint64(30) { // more than the queue has consumers
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
	}
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), logsOf(time.Now(), 2)))
	r.requireAccepted(t, "transaction", 30)
	r.requireAccepted(t, "log", 1)
	assert.Empty(t, r.raw("event"))
	open.Store(true)
	r.requireAccepted(t, "event", 30)
	h.stop(t)
	r.requireNoFaults(t)
	assert.Empty(t, h.discarded(t))
}

func TestLimitedTransactionsAndLogsAreDropped(t *testing.T) {
	r := newRelay(t)
	r.respond = func(w http.ResponseWriter, e *envelope) int {
		switch {
		case e.has("transaction"):
			w.Header().Set("X-Sentry-Rate-Limits", "3600:transaction:key")
			return http.StatusTooManyRequests
		case e.has("log"):
			w.Header().Set("X-Sentry-Rate-Limits", "3600:log_byte:key")
			return 0 // a limit may come with 200
		}
		return 0
	}
	h := startAt(t, r, func(c *Config) { c.QueueConfig.Get().NumConsumers = 1 }, nil)
	for i := range uint64(3) {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
		require.NoError(t, h.logs.ConsumeLogs(t.Context(), logsOf(time.Now(), 5)))
	}
	h.stop(t)
	r.requireNoFaults(t)
	assert.Len(t, r.raw("event"), 3)
	assert.Len(t, r.raw("log"), 1)
	assert.Equal(t, map[string]int64{
		"rate_limited transaction": 1, "rate_limited span": 1, "ratelimit_backoff transaction": 2,
		"ratelimit_backoff span":     2,
		"ratelimit_backoff log_item": 10,
	}, h.discarded(t))
	reports := r.discards(t)
	assert.Positive(t, reports["ratelimit_backoff log_byte"])
	delete(reports, "ratelimit_backoff log_byte")
	assert.Equal(t, map[string]float64{
		"ratelimit_backoff transaction": 2, "ratelimit_backoff span": 2, "ratelimit_backoff log_item": 10,
	}, reports, "the server counts what it rejected with 429")
}

func TestReportWithALimitedItemIsDelivered(t *testing.T) {
	r := newRelay(t)
	r.respond = func(w http.ResponseWriter, e *envelope) int {
		switch {
		case e.has("log"):
			w.Header().Set("X-Sentry-Rate-Limits", "3600:log_item:key")
			return http.StatusTooManyRequests
		case e.has("transaction"):
			w.Header().Set("X-Sentry-Rate-Limits", "3600:transaction:key")
			return http.StatusTooManyRequests
		}
		return 0
	}
	h := startAt(t, r, func(c *Config) { c.QueueConfig.Get().NumConsumers = 1 }, nil)
	for range 2 { // the first is limited by the server, the second not tried
		require.NoError(t, h.logs.ConsumeLogs(t.Context(), logsOf(time.Now(), 5)))
	}
	require.Eventually(
		t,
		func() bool { return h.discarded(t)["ratelimit_backoff log_item"] == 5 },
		20*time.Second,
		time.Millisecond,
	)
	p := newPush(time.Now())
	p.request(p.resource(), 1, 1)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	h.stop(t)
	assert.InDelta(t, 5, r.discards(t)["ratelimit_backoff log_item"], 0, "although the item with it was limited")
}

func TestRejectionsAreLoggedOnce(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusForbidden:             "rejects the project or its key (403, ProjectId): it is unknown or disabled",
		http.StatusUnauthorized:          "does not accept the key (401): copy the dsn again",
		http.StatusNotFound:              "has no envelope endpoint at the dsn's path (404)",
		http.StatusBadRequest:            "rejected an item (400): check the dsn's key and project number",
		http.StatusRequestEntityTooLarge: "rejected an item as too large (413)",
		http.StatusMovedPermanently:      "redirects (301): change the dsn to the address that it redirects to",
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			r := newRelay(t)
			r.respond = func(w http.ResponseWriter, _ *envelope) int {
				w.Header().Set("Location", "http://elsewhere.invalid/")
				w.WriteHeader(status)
				_, _ = fmt.Fprintf(w, `{"detail":"event submission rejected with_reason: ProjectId","causes":["%s"]}`, testKey)
				return -1
			}
			h := startAt(t, r, nil, nil)
			for i := range uint64(5) {
				require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
			}
			h.stop(t)
			logged := h.messages.FilterMessageSnippet("for the same reason are only counted").All()
			require.Len(t, logged, 1)
			assert.Contains(t, logged[0].ContextMap()["error"], want)
			assert.Equal(t, 1, h.messages.FilterLevelExact(zap.ErrorLevel).Len(), "and nothing else logs it again")
			why := "send_error"
			if status == http.StatusRequestEntityTooLarge {
				why = "too_large"
			}
			assert.Equal(t, map[string]int64{why + " error": 5, why + " transaction": 5, why + " span": 5}, h.discarded(t))
			requireNoSecret(t, h)
		})
	}
}

// requireNoSecret searches every line that was logged, at all levels, for the DSN's key.
func requireNoSecret(t *testing.T, h *harness) {
	t.Helper()
	require.NotZero(t, h.messages.Len())
	for _, m := range h.messages.All() {
		assert.NotContains(t, fmt.Sprint(m.Message, m.ContextMap()), testKey)
	}
}

func TestOutage(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	h := startHarness(t, testConfig("http://"+testKey+"@"+address+"/1"), componenttest.NewNopHost(), nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	require.Eventually(
		t,
		func() bool { return h.messages.FilterMessageSnippet("Will retry").Len() > 3 },
		10*time.Second,
		time.Millisecond,
	)
	r := newRelayOn(t, address)
	r.requireAccepted(t, "event", 1)
	r.requireAccepted(t, "transaction", 1)
	r.requireNoFaults(t)
	requireNoSecret(t, h)
	assert.Empty(t, h.discarded(t))
}

func TestGivesUp(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"after max_elapsed_time": func(c *Config) { c.RetryConfig.MaxElapsedTime = 30 * time.Millisecond },
		"without retry":          func(c *Config) { c.RetryConfig.Enabled = false },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			var open atomic.Bool
			r.respond = func(http.ResponseWriter, *envelope) int {
				if open.Load() {
					return 0
				}
				return http.StatusInternalServerError
			}
			h := startAt(t, r, change, nil)
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
			want := map[string]int64{"send_error error": 1, "send_error transaction": 1, "send_error span": 1}
			require.Eventually(t, func() bool { return len(h.discarded(t)) == len(want) }, 10*time.Second, time.Millisecond)
			assert.Equal(t, want, h.discarded(t))
			open.Store(true)
			h.stop(t)
			assert.Equal(
				t,
				map[string]float64{"send_error error": 1, "send_error transaction": 1, "send_error span": 1},
				r.discards(t),
			)
			assert.Empty(t, r.raw("event"))
		})
	}
}

func TestFullQueueDropsInsteadOfFailing(t *testing.T) {
	r := newRelay(t)
	release := make(chan struct{})
	r.respond = func(http.ResponseWriter, *envelope) int { <-release; return 0 }
	h := startAt(t, r, func(c *Config) {
		c.QueueConfig.Get().QueueSize = 2
		c.QueueConfig.Get().NumConsumers = 1
	}, nil)
	const n = 20
	for i := range uint64(n) {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
		require.NoError(t, h.logs.ConsumeLogs(t.Context(), logsOf(time.Now(), 3)))
	}
	close(release)
	h.stop(t)
	r.requireNoFaults(t)
	got, sent := h.discarded(t), h.sent(t)
	assert.Positive(t, got["queue_overflow error"])
	assert.EqualValues(t, n, got["queue_overflow error"]+sent["error"])
	assert.EqualValues(t, n, got["queue_overflow transaction"]+sent["transaction"])
	assert.EqualValues(t, n, got["queue_overflow span"]+sent["span"])
	assert.EqualValues(t, 3*n, got["queue_overflow log_item"]+sent["log_item"])
	reports := r.discards(t)
	for _, category := range []string{"error", "transaction", "span", "log_item"} {
		assert.InDelta(t, got["queue_overflow "+category], reports["queue_overflow "+category], 0, category)
	}
	assert.Len(t, r.raw("event"), int(sent["error"]))
}

func TestOldItemsAreCountedNotSent(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now().Add(-25*time.Hour), 1)))
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), logsOf(time.Now().Add(-25*time.Hour), 2)))
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now().Add(-23*time.Hour), 2)))
	h.stop(t)
	r.requireNoFaults(t)
	assert.Len(t, r.raw("event"), 1)
	assert.Equal(
		t,
		map[string]int64{"too_old error": 1, "too_old transaction": 1, "too_old span": 1, "too_old log_item": 2},
		h.discarded(t),
	)
}

func TestClientReportsCanBeOff(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.ClientReports, c.TracesSampleRate = false, 0 }, nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	h.stop(t)
	assert.Empty(t, r.raw("client_report"))
	assert.NotEmpty(t, h.discarded(t))
}

func TestUndeliveredReportsAreKept(t *testing.T) {
	r := newRelay(t)
	var failures atomic.Int64
	r.respond = func(http.ResponseWriter, *envelope) int {
		if failures.Add(1) < 4 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	h := startAt(t, r, func(c *Config) { c.TracesSampleRate = 0 }, nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	r.requireAccepted(t, "event", 1)
	h.stop(t)
	assert.Equal(t, map[string]float64{"sample_rate transaction": 1, "sample_rate span": 1}, r.discards(t))
}

func TestShutdownInAnOutageIsQuickAndCounted(t *testing.T) {
	hang := make(chan struct{})
	r := newRelay(t)
	t.Cleanup(func() { close(hang) })
	r.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang })
	h := startAt(t, r, nil, nil)
	for i := range uint64(15) {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
	}
	begin := time.Now()
	h.stop(t)
	assert.Less(
		t,
		time.Since(begin),
		4*3*time.Second,
		"the collector is to end in five seconds, with room for a busy machine",
	)
	assert.Equal(
		t,
		map[string]int64{"network_error error": 15, "network_error transaction": 15, "network_error span": 15},
		h.discarded(t),
	)
}

func TestBackedOffItemsAreCountedAtShutdown(t *testing.T) {
	r := newRelay(t)
	r.respond = func(http.ResponseWriter, *envelope) int { return http.StatusServiceUnavailable }
	h := startAt(t, r, func(c *Config) { c.RetryConfig.InitialInterval = time.Hour }, nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	require.Eventually(
		t,
		func() bool { return h.messages.FilterMessageSnippet("Will retry").Len() == 2 },
		10*time.Second,
		time.Millisecond,
	)
	h.stop(t)
	got := h.discarded(t)
	assert.EqualValues(t, 1, got["network_error error"]+got["send_error error"])
	assert.EqualValues(t, 1, got["network_error transaction"]+got["send_error transaction"])
}

func TestWithoutQueueErrorsGoBack(t *testing.T) {
	r := newRelay(t)
	down := true
	r.respond = func(http.ResponseWriter, *envelope) int {
		if down {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	h := startAt(t, r, func(c *Config) {
		c.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
		c.RetryConfig.Enabled = false
	}, nil)
	td := failing(time.Now(), 1)
	require.Error(t, h.traces.ConsumeTraces(t.Context(), td))
	r.mu.Lock()
	down = false
	r.mu.Unlock()
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), td), "what was not sent is not considered a duplicate")
	assert.Len(t, r.raw("event"), 1)
	assert.Len(t, r.raw("transaction"), 1)
}

func TestOff(t *testing.T) {
	factory := NewFactory()
	cfg := factory.CreateDefaultConfig()
	set := exportertest.NewNopSettings(metadata.Type)
	core, messages := newObserver()
	set.Logger = zap.New(core)
	traces, err := factory.CreateTraces(t.Context(), set, cfg)
	require.NoError(t, err)
	logs, err := factory.CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	for _, c := range []component.Component{traces, logs} {
		require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	}
	require.NoError(t, traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	require.NoError(t, logs.ConsumeLogs(t.Context(), logsOf(time.Now(), 1)))
	require.NoError(t, traces.Shutdown(t.Context()))
	require.NoError(t, logs.Shutdown(t.Context()))
	require.Equal(t, 2, messages.Len(), "one line an instance")
	assert.Equal(t, "Sentry is disabled: `dsn` is empty.", messages.All()[0].Message)
}

func TestLifecycleInAnyOrder(t *testing.T) {
	r := newRelay(t)
	cfg := testConfig(r.dsn(1))
	factory := NewFactory()
	set := exportertest.NewNopSettings(metadata.Type)
	traces, err := factory.CreateTraces(t.Context(), set, cfg)
	require.NoError(t, err)
	logs, err := factory.CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, logs.Shutdown(t.Context()), "before the start")
	require.NoError(t, traces.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	require.NoError(t, traces.Shutdown(t.Context()))
	require.NoError(t, traces.Shutdown(t.Context()), "twice")
	assert.Len(t, r.raw("event"), 1)
}

func TestMissingStorageStopsTheStart(t *testing.T) {
	cfg := testConfig("http://" + testKey + "@127.0.0.1:1/1")
	id := component.MustNewIDWithName("file_storage", "queue")
	cfg.Storage = &id
	traces, err := NewFactory().CreateTraces(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	err = traces.Start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, "`storage`: there is no extension \"file_storage/queue\"")
	assert.NotContains(t, err.Error(), testKey)
	require.NoError(t, traces.Shutdown(t.Context()))
}
