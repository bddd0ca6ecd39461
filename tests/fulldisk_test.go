// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/disk"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// A full disk refuses requests only while it is full, and loses none of those that were accepted: neither with an idle
// queue, nor with one that is being emptied meanwhile, nor at a crash after it. Sentry's queue refuses no request: what
// it has no room for is counted.
func TestFullDisk(t *testing.T) {
	storage := disk.New(t, 24<<20)
	s := newStack(t, stackOptions{
		env: map[string]string{"OTELCOL_STORAGE_DIR": storage.Path},
		overlays: []string{
			// Far fewer than are refused below: a request that could not be written must not count as waiting.
			"yaml:exporters::sentry::sending_queue::queue_size: 300",
			"yaml:exporters::opensearch::sending_queue::queue_size: 300",
			"yaml:exporters::sentry::root_wait: 1s",
		},
	})
	sender := &spanSender{stack: s}

	sender.send(t, 10, 100)
	storage.Fill(t)
	require.Zero(t, sender.send(t, 400, 30_000), "accepted while the disk is full")
	storage.Free(t)
	require.Equal(t, 50, sender.send(t, 50, 100), "the disk has space again")
	sender.expectAll(t)

	// Accepted while Sentry is away, sent while the disk is full.
	s.sentry.SetFailing(http.StatusServiceUnavailable)
	require.Equal(t, 200, sender.send(t, 200, 1000))
	storage.Fill(t)
	sender.send(t, 100, 30_000)
	s.sentry.SetFailing(0)
	sender.expectAll(t)
	storage.Free(t)
	sender.keepDiscarded(t)
	require.Equal(t, 50, sender.send(t, 50, 100), "the disk has space again")
	s.KillAndRestart(t)
	require.Equal(t, 50, sender.send(t, 50, 100), "after a crash")
	sender.expectAll(t)
}

// spanSender sends requests with one root span each, and remembers which were accepted.
type spanSender struct {
	*stack
	sent     int
	accepted []string // trace IDs

	discarded float64 // by Sentry's exporter, before a restart
}

// send returns how many of n requests were accepted. The span of each has a value of the given length.
func (s *spanSender) send(t *testing.T, n, length int) int {
	t.Helper()
	before := len(s.accepted)
	for range n {
		s.sent++
		id := fmt.Sprintf("%032x", s.sent)
		now := time.Now().UnixNano()
		body := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[`+
			`{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[`+
			`{"traceId":"%s","spanId":"%016x","name":"POST /orders","kind":2,`+
			`"startTimeUnixNano":"%d","endTimeUnixNano":"%d","attributes":[`+
			`{"key":"shop.note","value":{"stringValue":"%s"}}]}]}]}]}`,
			id, s.sent, now-1e6, now, strings.Repeat("lorem ipsum ", length/12))
		switch status := exportHTTP(t, s.Collector, "traces", "", body); status {
		case http.StatusOK:
			s.accepted = append(s.accepted, id)
		case http.StatusServiceUnavailable:
		default:
			t.Fatalf("answered %d, expected 200 or 503", status)
		}
	}
	return len(s.accepted) - before
}

// expectAll waits until each accepted request is in OpenSearch, and each request at Sentry or counted.
func (s *spanSender) expectAll(t *testing.T) {
	t.Helper()
	wait.For(t, "each accepted span in OpenSearch", func(ctx context.Context) error {
		hits, err := s.search.Search(ctx, "dify-traces-*", map[string]any{"match_all": map[string]any{}})
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, hit := range hits {
			there[fmt.Sprint(hit.Source["traceId"])] = true
		}
		for _, id := range s.accepted {
			if !there[id] {
				return fmt.Errorf("%s of %d accepted ones is missing, %d are there", id, len(s.accepted), len(there))
			}
		}
		return nil
	})
	wait.For(t, "each span at Sentry or counted", func(ctx context.Context) error {
		there := map[string]bool{}
		for _, transaction := range s.sentry.Transactions() {
			for _, id := range spanIDs(t, transaction) {
				there[id] = true
			}
		}
		discarded, err := s.discards(ctx)
		if total := len(there) + int(discarded+s.discarded); err == nil && total != s.sent {
			err = fmt.Errorf("%d are there, %v were discarded, expected %d together", len(there), discarded, s.sent)
		}
		return err
	})
}

// keepDiscarded remembers what was discarded so far: the counter starts anew after a crash.
func (s *spanSender) keepDiscarded(t *testing.T) {
	t.Helper()
	discarded, err := s.discards(t.Context())
	require.NoError(t, err)
	s.discarded = discarded
}

func (s *spanSender) discards(ctx context.Context) (float64, error) {
	return s.OwnMetric(ctx, "otelcol_exporter_sentry_discarded_total", `category="transaction"`)
}
