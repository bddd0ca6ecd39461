// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	// userContent is part of prompts, inputs and outputs. The application writes the same text.
	userContent = "user-content-that-must-not-arrive"
	apiKey      = "the-key-of-this-test"
	requests    = 300
	workers     = 3
)

func TestApplicationOverEveryWayIn(t *testing.T) {
	for _, tc := range []struct {
		name     string
		protocol string
		key      string
	}{
		{name: "HTTP", protocol: "http/protobuf"},
		{name: "HTTP with API key", protocol: "http/protobuf", key: apiKey},
		{name: "gRPC", protocol: "grpc"},
		{name: "gRPC with API key", protocol: "grpc", key: apiKey},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, app := newApplication(t, tc.protocol, tc.key)
			sent := s.sendInfoRequests(t, app)
			s.expectValue(t, sent, `sum(http_server_duration_milliseconds_count{http_route="/v1/info"})`)
			s.expectValue(t, workers, `count(http_server_duration_milliseconds_count{http_route="/v1/info"})`)

			answer, err := app.Post(t.Context(), "/v1/workflows/run", map[string]any{"response_mode": "blocking"})
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, answer.Status)
			s.expectTrace(t, answer, "WorkflowAppRunner.run")
		})
	}
}

func TestWorkerTelemetryArrives(t *testing.T) {
	s, app := newApplication(t, "http/protobuf", "")
	answer, err := app.Post(t.Context(), "/v1/workflows/run", map[string]any{"response_mode": "streaming"})
	require.NoError(t, err)
	s.expectTrace(t, answer, "run/tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task")
	s.expectValue(t, 1, `sum(flower_task_runtime_seconds_count)`)
}

func TestExceptionBecomesSentryEvent(t *testing.T) {
	s, app := newApplication(t, "http/protobuf", "")
	answer, err := app.Post(t.Context(), "/v1/workflows/fail", map[string]any{})
	require.NoError(t, err)
	require.Equal(t, http.StatusInternalServerError, answer.Status)
	_, err = app.Post(t.Context(), "/v1/workflows/run", map[string]any{"response_mode": "streaming"})
	require.NoError(t, err)

	wait.For(t, "the error event and both transactions", func(context.Context) error {
		if len(s.sentry.Events()) == 0 {
			return errors.New("no event")
		}
		for _, name := range []string{"/v1/workflows/fail", "/v1/workflows/run", "workflow_based_app_execution_task"} {
			if !hasTransaction(s.sentry, name) {
				return fmt.Errorf("no transaction %s", name)
			}
		}
		return nil
	})
	s.checkSentry(t)
	checkErrorEvents(t, s.sentry.Events())
}

// checkErrorEvents expects the failure exactly once, with its cause and a link to its trace.
func checkErrorEvents(t *testing.T, events []sink.SentryEvent) {
	t.Helper()
	require.Len(t, events, 1)
	var event struct {
		Exception struct {
			Values []struct {
				Type       string `json:"type"`
				Value      string `json:"value"`
				Stacktrace struct {
					Frames []struct {
						Function string `json:"function"`
					} `json:"frames"`
				} `json:"stacktrace"`
			} `json:"values"`
		} `json:"exception"`
		Contexts struct {
			Trace struct {
				TraceID string `json:"trace_id"`
			} `json:"trace"`
		} `json:"contexts"`
		Environment string `json:"environment"`
		Release     string `json:"release"`
	}
	require.NoError(t, json.Unmarshal(events[0].Payload, &event))
	values := event.Exception.Values
	require.Len(t, values, 2, "the exception and its cause")
	assert.Equal(t, "KeyError", values[0].Type, "Sentry's order is oldest first")
	assert.Contains(t, values[1].Type, "PluginDaemonInnerError")
	assert.Equal(t, "plugin daemon is not reachable", values[1].Value)
	frames := values[1].Stacktrace.Frames
	require.NotEmpty(t, frames)
	assert.Equal(t, "fail_workflow", frames[len(frames)-1].Function, "the newest frame is the last one")
	assert.Len(t, event.Contexts.Trace.TraceID, 32)
	assert.Equal(t, "PRODUCTION", event.Environment, "as Dify's own SDK says it")
	assert.Equal(t, "dify-1.16.1-0123abc", event.Release)
}

func hasTransaction(sentry *sink.Sentry, name string) bool {
	for _, transaction := range sentry.Transactions() {
		if strings.Contains(string(transaction.Payload), name) {
			return true
		}
	}
	return false
}

// newApplication returns the collector with a Dify-like application that sends to it. With a key, the collector
// requires it.
func newApplication(t *testing.T, protocol, key string) (*stack, *pyenv.App) {
	t.Helper()
	opts := stackOptions{}
	if key != "" {
		opts.overlays = []string{repo.Path("config", "overlays", "auth.yaml")}
		opts.env = map[string]string{"OTLP_API_KEY": key}
	}
	s := newStack(t, opts)
	env := map[string]string{
		"OTLP_BASE_ENDPOINT":               "http://" + s.OTLPHTTP,
		"OTEL_EXPORTER_OTLP_PROTOCOL":      protocol,
		"OTLP_API_KEY":                     key,
		"OTEL_SAMPLING_RATE":               "1.0",
		"OTEL_BATCH_EXPORT_SCHEDULE_DELAY": "500",
		"OTEL_METRIC_EXPORT_INTERVAL":      "1000",
	}
	if protocol == "grpc" {
		env["OTLP_BASE_ENDPOINT"] = "http://" + s.OTLPGRPC
	}
	maps.Copy(env, s.difyEnv)
	return s, pyenv.StartApp(t, env)
}

// sendInfoRequests sends at least the given number of requests, and continues until every worker has served one.
func (s *stack) sendInfoRequests(t *testing.T, app *pyenv.App) float64 {
	t.Helper()
	pids := map[int]bool{}
	sent := 0
	for sent < requests || len(pids) < workers {
		require.Less(t, sent, 100*requests, "one of the workers never answers")
		answers := make([]pyenv.Answer, 50)
		group, ctx := errgroup.WithContext(t.Context())
		group.SetLimit(8)
		for i := range answers {
			group.Go(func() (err error) {
				answers[i], err = app.Get(ctx, "/v1/info")
				return err
			})
		}
		require.NoError(t, group.Wait())
		for _, answer := range answers {
			require.Equal(t, http.StatusOK, answer.Status)
			pids[answer.PID] = true
		}
		sent += len(answers)
	}
	return float64(sent)
}

// expectTrace waits for the documents of a run's request: the server's span, the given one and the run's nodes, all
// with the run's id and without users' content.
func (s *stack) expectTrace(t *testing.T, answer pyenv.Answer, name string) {
	t.Helper()
	query := map[string]any{"term": map[string]any{"traceId": answer.TraceID}}
	wanted := []string{"POST /v1/workflows/run", name, "llm", "http-request", "end"}
	var hits []servers.Hit
	wait.For(t, "the trace", func(ctx context.Context) (err error) {
		if hits, err = s.search.Search(ctx, "dify-traces-*", query); err != nil {
			return err
		}
		for _, want := range wanted {
			if !hasSpan(hits, want) {
				return fmt.Errorf("no span %q among %d", want, len(hits))
			}
		}
		return nil
	})
	ids := map[string]bool{}
	for _, hit := range hits {
		ids[hit.ID] = true
		assert.Equal(t, fmt.Sprint(hit.Source["traceId"], "-", hit.Source["spanId"]), hit.ID)
		assert.NotContains(t, fmt.Sprint(hit.Source), userContent)
		if attribute(hit, "node.type") != "" {
			assert.Equal(t, answer.RunID, attribute(hit, "dify.workflow_run_id"), "run of the node's span")
		}
	}
	assert.Len(t, ids, len(hits))
}

// hasSpan reports whether a span's name begins or ends with the text: nodes are named by their type.
func hasSpan(hits []servers.Hit, name string) bool {
	for _, hit := range hits {
		text := fmt.Sprint(hit.Source["name"])
		if strings.HasSuffix(text, name) || strings.HasPrefix(text, name) || attribute(hit, "node.type") == name {
			return true
		}
	}
	return false
}
