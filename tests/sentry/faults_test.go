// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/soak"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// newRandom logs its seed, which the environment can set. It is safe for concurrent use.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(&lockedSource{src: rand.NewPCG(soak.Seed(t), 0)})
}

type lockedSource struct {
	mu  sync.Mutex
	src rand.Source // guarded by mu
}

func (l *lockedSource) Uint64() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.src.Uint64()
}

// startFaulty runs the shipped exporter with room for the whole schedule and short retry intervals.
func startFaulty(t *testing.T, dsn string) *collector.Collector {
	t.Helper()
	return startCollector(t, map[string]string{"OTELCOL_SENTRY_DSN": dsn, "CELERY_BROKER_URL": "redis://127.0.0.1:1/1"},
		"yaml:exporters::sentry::retry_on_failure::initial_interval: 50ms",
		"yaml:exporters::sentry::retry_on_failure::max_interval: 500ms",
		"yaml:exporters::sentry::sending_queue::queue_size: 100000",
		"yaml:exporters::sentry::root_wait: 10m", // spans that arrive before their root must find it
	)
}

// sendAll sends requests in small batches, from several senders.
func (w *workload) sendAll(ctx context.Context, requests int) *errgroup.Group {
	const together, senders = 10, 4
	work := &errgroup.Group{}
	for sender := range senders {
		work.Go(func() error {
			for first := sender * together; first < requests; first += senders * together {
				if err := w.send(ctx, first, min(together, requests-first)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return work
}

// counted returns the number of items of a category that the exporter has discarded for any of the reasons.
func counted(ctx context.Context, t *testing.T, col *collector.Collector, category string, reasons ...string) int {
	t.Helper()
	sum := 0.0
	for _, reason := range reasons {
		n, err := col.OwnMetric(
			ctx,
			"otelcol_exporter_sentry_discarded_total",
			`category="`+category+`"`,
			`reason="`+reason+`"`,
		)
		if err != nil {
			require.ErrorContains(t, err, "is not there", "nothing was counted so far")
			continue
		}
		sum += n
	}
	return int(sum)
}

// Whatever the server does, each error and each root is accepted or counted with a documented reason, each span is
// accepted once or counted, and the discards are reported to Sentry as the protocol specifies.
func TestEveryErrorAndRootIsAcceptedOrCounted(t *testing.T) {
	t.Parallel()
	requests := soak.Size(2500, 12_500) // 10,000 spans, or 50,000
	drawn := randomly(newRandom(t), map[fault]int{serverError: 50, cutBefore: 50, limited: 4, retryAfter: 1})
	relay, dsn := newFaultyRelay(t, func(kind, payload string) fault {
		if strings.Contains(payload, `request 7`) { // each error whose number starts with 7
			return tooLarge
		}
		return drawn(kind, payload)
	})
	tooLargeErrors := 0
	for request := range requests {
		if strings.HasPrefix(strconv.Itoa(request), "7") {
			tooLargeErrors++
		}
	}
	col := startFaulty(t, dsn)
	w := newWorkload(col.OTLPHTTP)
	work := w.sendAll(t.Context(), requests)
	waitForAccepted(t, relay.Sentry, requests/4)
	relay.setAway(true)
	time.AfterFunc(2*time.Second, func() { relay.setAway(false) })
	require.NoError(t, work.Wait())

	dropped := []string{"rate_limited", "ratelimit_backoff"} // a limit on transactions drops them
	var got accepted
	wait.For(t, "each error and root", func(ctx context.Context) error {
		counts := relay.Counts()
		transactions := counts.Transactions + counted(ctx, t, col, "transaction", dropped...)
		if counts.Events+tooLargeErrors < requests || transactions < requests {
			return fmt.Errorf("%d errors, %d transactions of %d", counts.Events+tooLargeErrors, transactions, requests)
		}
		return nil
	})
	got = acceptedBy(t, relay.Sentry)
	assert.Equal(t, requests-tooLargeErrors, got.errors)
	assert.Equal(t, requests-tooLargeErrors, relay.Counts().Events, "each under one id")
	assert.Equal(t, tooLargeErrors, counted(t.Context(), t, col, "error", "too_large"))
	assert.Equal(t, requests, got.roots+counted(t.Context(), t, col, "transaction", dropped...))
	assert.Equal(t, spansOfRequest*requests, len(got.spans)+counted(t.Context(), t, col, "span", dropped...))
	assert.Positive(t, relay.happened(limited))
	assert.Positive(t, relay.happened(serverError))

	backedOff := counted(t.Context(), t, col, "transaction", "ratelimit_backoff")
	relay.setSchedule(func(string, string) fault { return none })
	col.Terminate(t)
	assert.Equal(t, tooLargeErrors, relay.Discarded()[sink.Discard{Reason: "send_error", Category: "error"}])
	assert.Equal(t, backedOff, relay.Discarded()[sink.Discard{Reason: "ratelimit_backoff", Category: "transaction"}])
	assert.Empty(t, relay.Problems())
	assert.NotContains(t, col.Log(), sink.SentryKey)
	t.Logf("%d requests: %d errors and %d roots accepted, %d and %d counted; faults %v",
		requests, got.errors, got.roots, tooLargeErrors, requests-got.roots, relay.counts)
}

// However often the collector is killed, with a server that fails meanwhile: no error and no root is lost.
func TestKilledCollectorLosesNoErrorAndNoRoot(t *testing.T) {
	t.Parallel()
	kills, requests := soak.Size(5, 20), soak.Size(2500, 12_500)
	random := newRandom(t)
	relay, dsn := newFaultyRelay(t, func(kind, _ string) fault {
		f := randomly(random, map[fault]int{serverError: 50, cutBefore: 30, cutAfter: 30, limited: 4})(kind, "")
		if f == limited && kind != "event" {
			return none // a limit on transactions drops them, which a killed process can't report
		}
		return f
	})
	col := startFaulty(t, dsn)
	w := newWorkload(col.OTLPHTTP)
	work := w.sendAll(t.Context(), requests)
	for kill := range kills {
		waitForAccepted(t, relay.Sentry, 2*requests*(kill+1)/(kills+1)/2)
		if random.IntN(2) == 0 {
			relay.setAway(true)
			time.AfterFunc(time.Second, func() { relay.setAway(false) })
		}
		col.KillAndRestart(t)
	}
	require.NoError(t, work.Wait())
	var got accepted
	wait.For(t, "each error and root", func(context.Context) error {
		if got = acceptedBy(t, relay.Sentry); got.errors < requests || got.roots < requests {
			return fmt.Errorf("%d errors, %d roots of %d", got.errors, got.roots, requests)
		}
		return nil
	})
	assert.Equal(t, requests, got.errors)
	assert.Equal(t, requests, got.roots)
	assert.Equal(t, requests, relay.Counts().Events, "each under one id")
	assert.Empty(t, relay.Problems())
	t.Logf(
		"%d kills, %d requests: all errors and roots are there, %d times again under the same id; of %d spans that wait for their root %d were lost",
		kills, requests, relay.Counts().Repeated, childrenOfRequest*requests, spansOfRequest*requests-len(got.spans),
	)
}

// A shutdown while Sentry is unavailable is quick, and what Sentry has not accepted is sent after the next start:
// errors, roots, and the spans that waited for their root.
func TestStopInAnOutageStoresEverything(t *testing.T) {
	for name, outage := range map[string]func(*faultyRelay, bool){
		"away": (*faultyRelay).setAway, "hanging": (*faultyRelay).setHanging,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testStopInAnOutage(t, outage)
		})
	}
}

func testStopInAnOutage(t *testing.T, outage func(r *faultyRelay, begins bool)) {
	t.Helper()
	requests := soak.Size(500, 5000)
	relay, dsn := newFaultyRelay(t, func(string, string) fault { return none })
	outage(relay, true)
	col := startFaulty(t, dsn)
	w := newWorkload(col.OTLPHTTP)
	require.NoError(t, w.sendAll(t.Context(), requests).Wait())
	require.NoError(t, w.export(t.Context(), w.push(requests, requests, w.children))) // their roots never arrive
	// The OTLP receiver waits 5 s for an open connection that was never used.
	w.client.CloseIdleConnections()
	took := col.Terminate(t)
	outage(relay, false)
	col.Restart(t)
	assert.Less(t, took, 15*time.Second, "5 s are promised; here is room for a busy machine")
	var got accepted
	wait.For(t, "everything", func(context.Context) error {
		if got = acceptedBy(t, relay.Sentry); len(got.spans) < (spansOfRequest+childrenOfRequest)*requests ||
			got.errors < requests {
			return fmt.Errorf("%d spans, %d errors", len(got.spans), got.errors)
		}
		return nil
	})
	assert.Equal(t, requests, got.errors)
	assert.Equal(t, requests, got.roots)
	assert.Len(t, got.spans, (spansOfRequest+childrenOfRequest)*requests)
	assert.Empty(t, relay.Problems())
	t.Logf("the stop took %s", took)
}

// A 429 without headers applies to all categories for a minute.
func TestBareRefusalHoldsForAMinute(t *testing.T) {
	t.Parallel()
	var refused time.Time
	var once sync.Once
	relay, dsn := newFaultyRelay(t, func(string, string) fault {
		f := none
		once.Do(func() { f, refused = bare, time.Now() })
		return f
	})
	col := startFaulty(t, dsn)
	w := newWorkload(col.OTLPHTTP)
	require.NoError(t, w.export(t.Context(), w.push(0, 1, w.root)))
	wait.For(t, "the refusal", func(context.Context) error {
		if relay.happened(bare) == 0 {
			return errors.New("no envelope came")
		}
		return nil
	})
	require.NoError(t, w.export(t.Context(), w.push(1, 20, w.root)))
	require.NoError(t, wait.Until(t.Context(), time.Minute+wait.Deadline, func(context.Context) error {
		if n := relay.Counts().Events; n < 21 {
			return fmt.Errorf("%d of 21 errors", n)
		}
		return nil
	}))
	assert.GreaterOrEqual(t, time.Since(refused), time.Minute)
	got := acceptedBy(t, relay.Sentry)
	assert.Equal(t, 21, got.roots+counted(t.Context(), t, col, "transaction", "rate_limited", "ratelimit_backoff"))
}

// waitForAccepted waits until a Sentry has that many errors and transactions.
func waitForAccepted(t *testing.T, s *sink.Sentry, want int) {
	t.Helper()
	wait.For(t, "errors and transactions", func(context.Context) error {
		if counts := s.Counts(); counts.Events+counts.Transactions < want {
			return fmt.Errorf("%d, waiting for %d", counts.Events+counts.Transactions, want)
		}
		return nil
	})
}
