// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

func TestFailedRunBecomesSentryEvent(t *testing.T) {
	s := newStack(t, stackOptions{overlays: []string{"yaml:exporters::sentry::run_window: 1s"}})
	w := newWorkspace(t, s)
	w.end(t, w.start(t, w.workflow), schema.Outcome{Status: "succeeded"})
	failed := w.start(t, w.workflow)
	w.end(t, failed, schema.Outcome{Status: "failed", Error: "model refused"})

	wait.For(t, "the event", func(context.Context) error { return atLeast(1, len(s.sentry.Events())) })
	events := s.sentry.Events()
	require.Len(t, events, 1)
	assert.Contains(t, string(events[0].Payload), "model refused")
	assert.Contains(t, string(events[0].Payload), failed)
	s.checkSentry(t)
}

// Sentry gets each recorded span exactly once, as a transaction or in one, except calls to other services without a
// request, task or run, which are counted.
func TestRecordedSpansSuitSentry(t *testing.T) {
	lines := recordings.Lines(t, recordings.Traces)
	recorded := map[string]recordedSpan{}
	for _, line := range lines {
		readSpans(t, line, recorded)
	}
	s := newStack(t, stackOptions{overlays: []string{
		"yaml:exporters::sentry::max_age: 876000h", // they were recorded long ago
		"yaml:exporters::sentry::root_wait: 1s",
	}})
	for _, line := range lines {
		require.Equal(t, http.StatusOK, exportHTTP(t, s.Collector, "traces", "", line))
	}
	dropped, err := s.OwnMetric(t.Context(), droppedItems, `kind="span"`)
	require.NoError(t, err)

	want := 0
	wait.For(t, "every span", func(ctx context.Context) error {
		calls, err := s.OwnMetric(
			ctx, "otelcol_exporter_sentry_discarded_total", `category="span"`, `reason="client_root"`,
		)
		if err != nil {
			return err
		}
		want = len(recorded) - int(dropped) - int(calls)
		counts := s.sentry.Counts()
		return atLeast(want, counts.Transactions+counts.Spans)
	})
	require.Greater(t, want, len(recorded)/2)
	seen := map[string]int{}
	for _, transaction := range s.sentry.Transactions() {
		for _, id := range spanIDs(t, transaction) {
			seen[id]++
			assert.Contains(t, recorded, id)
		}
	}
	assert.Len(t, seen, want)
	for id, times := range seen {
		assert.Equalf(t, 1, times, "span %s (%s)", id, recorded[id].name)
	}
	reported := map[string]bool{}
	for _, event := range s.sentry.Events() {
		reported[exceptionType(t, event)] = true
	}
	// Neither ValueError, which Dify's own setup ignores, nor NoScriptError, which is not an error.
	assert.Equal(t, map[string]bool{"ConnectError": true, "PluginDaemonInnerError": true, "RuntimeError": true}, reported)
	s.checkSentry(t)
}

// spanIDs returns the trace and span ids of a transaction and its spans, in the form of OpenSearch's document ids.
func spanIDs(t *testing.T, transaction sink.SentryEvent) []string {
	t.Helper()
	type span struct {
		TraceID string `json:"trace_id"`
		SpanID  string `json:"span_id"`
	}
	var payload struct {
		Contexts struct {
			Trace span `json:"trace"`
		} `json:"contexts"`
		Spans []span `json:"spans"`
	}
	require.NoError(t, json.Unmarshal(transaction.Payload, &payload))
	var ids []string
	for _, s := range append(payload.Spans, payload.Contexts.Trace) {
		ids = append(ids, s.TraceID+"-"+s.SpanID)
	}
	return ids
}

// exceptionType returns the class of an event's outermost exception.
func exceptionType(t *testing.T, event sink.SentryEvent) string {
	t.Helper()
	var payload struct {
		Exception struct {
			Values []struct {
				Type string `json:"type"`
			} `json:"values"`
		} `json:"exception"`
	}
	require.NoError(t, json.Unmarshal(event.Payload, &payload))
	values := payload.Exception.Values
	require.NotEmpty(t, values)
	return values[len(values)-1].Type
}

// checkSentry expects that Relay and Sentry's normalizer accept everything unchanged.
func (s *stack) checkSentry(t *testing.T) {
	t.Helper()
	assert.Empty(t, s.sentry.Problems())
	assert.Zero(t, s.sentry.Counts().Repeated)
	var payloads []string
	for _, event := range append(s.sentry.Events(), s.sentry.Transactions()...) {
		payloads = append(payloads, string(event.Payload))
		assert.NotContains(t, string(event.Payload), userContent)
	}
	pyenv.Normalise(t, payloads...)
}

func atLeast(want, got int) error {
	if got < want {
		return fmt.Errorf("%d of %d", got, want)
	}
	return nil
}
