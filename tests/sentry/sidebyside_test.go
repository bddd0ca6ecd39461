// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentry

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// failures are the ways in which tests/python/failures.py fails, with the exceptions of the event that both report.
var failures = []struct {
	kind     string
	status   int
	reported string // "": neither reports it
}{
	{"plugin_daemon", http.StatusBadGateway, "ConnectError, ConnectError"},
	{"unhandled", http.StatusInternalServerError, "KeyError, RuntimeError"},
	{"logged", http.StatusOK, "KeyError, RuntimeError"},
	{"logged_twice", http.StatusOK, "KeyError, RuntimeError"},
	{"group", http.StatusOK, "KeyError, KeyError, RuntimeError, ExceptionGroup"},
	{"task", http.StatusOK, "KeyError, RuntimeError"},
	{"value_error", http.StatusBadRequest, ""},
	{"json_error", http.StatusOK, ""},
	{"rate_limit", http.StatusOK, ""},
	{"not_found", http.StatusNotFound, ""},
	{"langfuse", http.StatusOK, ""},
}

// TestSideBySide compares field by field what the real sentry-sdk, set up as in Dify, reports for failures with what
// the collector makes of their OpenTelemetry. They agree except for what the exporter's README lists.
func TestSideBySide(t *testing.T) {
	found := map[string]bool{}
	t.Run("an application with both", func(t *testing.T) { maps.Copy(found, compareLive(t)) })
	t.Run("a recorded Dify", func(t *testing.T) { maps.Copy(found, compareRecorded(t)) })
	assert.Empty(t, stale(found, documented(t)), "listed in the README, but equal")
}

func compareLive(t *testing.T) map[string]bool {
	t.Helper()
	sdk := listenSDK(t)
	relay, dsn := listenRelay(t)
	app := startApplication(t, dsn, map[string]string{"SENTRY_DSN": sdk.dsn()})
	want := map[string]string{}
	for _, f := range failures {
		answer, err := app.Post(t.Context(), "/v1/failures/"+f.kind, map[string]any{})
		require.NoError(t, err)
		require.Equal(t, f.status, answer.Status, f.kind)
		if f.reported != "" {
			want[f.kind] = f.reported
		}
	}
	var theirs, ours map[string]event
	wait.For(t, "all events of both", func(context.Context) error {
		events, faults := sdk.received()
		require.Empty(t, faults)
		theirs, ours = byKind(t, events), byKind(t, decoded(t, relay.Events()))
		if len(theirs) < len(want) || len(ours) < len(want) {
			return fmt.Errorf("%v of the SDK, %v of ours", slices.Sorted(maps.Keys(theirs)), slices.Sorted(maps.Keys(ours)))
		}
		return nil
	})
	assert.Equal(t, want, exceptionsByKind(theirs), "the SDK's")
	assert.Equal(t, want, exceptionsByKind(ours), "ours")
	known, all := documented(t), map[string]bool{}
	for kind := range want {
		found := differences(theirs[kind], ours[kind], "")
		assert.Empty(t, unexplained(found, known), "of %s", kind)
		maps.Copy(all, found)
	}
	requireSentryTakes(t, relay)
	return all
}

// byKind returns events by the failure that they report. Each must be reported once.
func byKind(t *testing.T, events []event) map[string]event {
	t.Helper()
	out := map[string]event{}
	for _, ev := range events {
		kind := "task"
		if address, ok := at(ev, "request", "url").(string); ok {
			kind = address[strings.LastIndex(address, "/")+1:]
		}
		require.NotContains(t, out, kind, "reported twice")
		out[kind] = ev
	}
	return out
}

func exceptionsByKind(events map[string]event) map[string]string {
	out := map[string]string{}
	for kind, ev := range events {
		out[kind] = exceptionsOf(ev)
	}
	return out
}

func decoded(t *testing.T, events []sink.SentryEvent) []event {
	t.Helper()
	var out []event
	for _, e := range events {
		ev := event{}
		require.NoError(t, json.Unmarshal(e.Payload, &ev))
		out = append(out, ev)
	}
	return out
}

// requireSentryTakes requires that Relay and Sentry's normalizer accept everything unchanged.
func requireSentryTakes(t *testing.T, relay *sink.Sentry) {
	t.Helper()
	assert.Empty(t, relay.Problems())
	assert.Zero(t, relay.Counts().Repeated)
	var payloads []string
	for _, e := range append(relay.Events(), relay.Transactions()...) {
		payloads = append(payloads, string(e.Payload))
	}
	pyenv.Normalise(t, payloads...)
}

// compareRecorded uses recorded failing requests of a real Dify: what its SDK reported, and the OpenTelemetry of the
// same time.
func compareRecorded(t *testing.T) map[string]bool {
	t.Helper()
	relay, dsn := listenRelay(t)
	col := startCollector(t, map[string]string{"OTELCOL_SENTRY_DSN": dsn, "CELERY_BROKER_URL": "redis://127.0.0.1:1/1"},
		"yaml:exporters::sentry::max_age: 876000h") // it was recorded long ago
	for _, request := range readLines(t, repo.Path("tests", "testdata", "recordings", "traces.jsonl.gz")) {
		resp, err := http.Post("http://"+col.OTLPHTTP+"/v1/traces", "application/json", strings.NewReader(request))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	known, all := documented(t), map[string]bool{}
	for _, line := range readLines(t, "testdata/sdk_events.jsonl.gz") {
		var their event
		require.NoError(t, json.Unmarshal([]byte(line), &their))
		if their["exception"] == nil {
			continue // only a log line, which is not in Dify's telemetry; documented in the README
		}
		wait.For(t, "the event of "+exceptionsOf(their), func(context.Context) error {
			found, err := agreeing(t, their, decoded(t, relay.Events()), known)
			maps.Copy(all, found)
			return err
		})
	}
	return all
}

// agreeing finds the event for the same failure. found has the remaining differences.
func agreeing(t *testing.T, their event, ours []event, known []string) (found map[string]bool, err error) {
	t.Helper()
	err = errors.New("no event of the same exceptions and logger")
	for _, our := range ours {
		if our["logger"] != their["logger"] || exceptionsOf(our) != exceptionsOf(their) {
			continue
		}
		found = differences(their, our, "")
		rest := unexplained(found, known)
		if len(rest) == 0 {
			return found, nil
		}
		err = fmt.Errorf("unexplained: %v", rest)
	}
	return nil, err
}

func readLines(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	gz, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(gz)
	lines.Buffer(nil, 64<<20)
	var out []string
	for lines.Scan() {
		out = append(out, lines.Text())
	}
	require.NoError(t, lines.Err())
	return out
}
