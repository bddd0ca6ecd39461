// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentry

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// spotlight is the server of Sentry's Spotlight, without a browser.
type spotlight struct{ url string }

func startSpotlight(t *testing.T) *spotlight {
	t.Helper()
	node, script := repo.Path(
		".cache", "node", "bin", "node",
	), repo.Path(
		".cache", "node", "node_modules", "@spotlightjs", "spotlight", "dist", "run.js",
	)
	for _, path := range []string{node, script} {
		_, err := os.Stat(path)
		require.NoError(t, err, "no Spotlight: run tests/setup.sh")
	}
	ports, err := proc.FreePorts(1)
	require.NoError(t, err)
	port := strconv.Itoa(ports[0])
	s := &spotlight{url: "http://localhost:" + port}
	process, err := proc.Start(proc.Spec{
		Name: "spotlight", Dir: t.TempDir(), Path: node, Args: []string{script, "server", "--port", port},
		// It would send usage data to its makers: an unusable proxy prevents that.
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "https_proxy=http://127.0.0.1:1"},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, process.Stop())
		if t.Failed() {
			t.Log(process.Tail())
		}
	})
	require.NoError(t, process.UntilReady(t.Context(), wait.Deadline, s.healthy))
	return s
}

func (s *spotlight) dsn() string { return strings.Replace(s.url, "://", "://spotlight@", 1) + "/1" }

func (s *spotlight) healthy(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/health", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// shown returns the payloads that Spotlight shows, by item type. Its stream starts with everything that it has.
func (s *spotlight) shown(ctx context.Context) (map[string][]event, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // the stream never ends
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/stream", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := map[string][]event{}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data:")); ok {
			if bad := readShown(data, out); bad != nil {
				return nil, bad
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return out, nil
		default:
			return nil, err
		}
	}
}

// readShown reads an envelope as Spotlight streams it: [header, [[item header, payload], …]].
func readShown(data []byte, out map[string][]event) error {
	var envelope []json.RawMessage
	if err := json.Unmarshal(data, &envelope); err != nil || len(envelope) != 2 {
		return fmt.Errorf("not an envelope: %.200s", data)
	}
	var items [][2]map[string]any
	if err := json.Unmarshal(envelope[1], &items); err != nil {
		return fmt.Errorf("items: %w", err)
	}
	for _, item := range items {
		kind, _ := item[0]["type"].(string)
		out[kind] = append(out[kind], item[1])
	}
	return nil
}

// TestSpotlight expects that a failing request of the real Python client is shown completely: the error, the tree of
// its transactions and its log line, all of one trace.
func TestSpotlight(t *testing.T) {
	spot := startSpotlight(t)
	app := startApplication(t, spot.dsn(), map[string]string{"APP_OTLP_LOGS": "1"})
	for _, kind := range []string{"plugin_daemon", "message"} {
		_, err := app.Post(t.Context(), "/v1/failures/"+kind, map[string]any{})
		require.NoError(t, err)
	}
	var shown map[string][]event
	wait.For(t, "the error, its transaction and the log", func(ctx context.Context) (err error) {
		if shown, err = spot.shown(ctx); err != nil {
			return err
		}
		if len(shown["event"]) < 1 || len(shown["transaction"]) < 2 || len(logsOf(shown)) < 2 {
			return fmt.Errorf(
				"%d errors, %d transactions, %d logs", len(shown["event"]), len(shown["transaction"]), len(logsOf(shown)),
			)
		}
		return nil
	})
	require.Len(t, shown["event"], 1)
	failure := shown["event"][0]
	assert.Equal(t, "ConnectError, ConnectError", exceptionsOf(failure))
	trace := at(failure, "contexts", "trace", "trace_id")

	request := transactionOf(shown, trace)
	require.NotNil(t, request, "the transaction of the error's trace")
	assert.Equal(t, "POST /v1/failures/<kind>", request["transaction"])
	assert.Contains(t, treeOf(request), "http.server > http.client POST http://127.0.0.1:1/plugin/dispatch")
	assert.Contains(t, treeIDs(request), at(failure, "contexts", "trace", "span_id"), "the error is in the tree")

	var bodies []any
	for _, log := range logsOf(shown) {
		bodies = append(bodies, log["body"])
		if log["body"] == "Request to Plugin Daemon Service failed" {
			assert.Equal(t, trace, log["trace_id"], "the log links to the error's trace")
		}
	}
	assert.ElementsMatch(
		t, []any{"Request to Plugin Daemon Service failed", "Node code failed with ABORT strategy"}, bodies,
	)
}

func logsOf(shown map[string][]event) []event {
	var out []event
	for _, payload := range shown["log"] {
		items, _ := payload["items"].([]any)
		for _, item := range items {
			out = append(out, item.(event))
		}
	}
	return out
}

func transactionOf(shown map[string][]event, trace any) event {
	i := slices.IndexFunc(
		shown["transaction"], func(tx event) bool { return at(tx, "contexts", "trace", "trace_id") == trace },
	)
	if i < 0 {
		return nil
	}
	return shown["transaction"][i]
}

// treeOf returns each span of a transaction with the operation of its parent.
func treeOf(transaction event) []string {
	ops := map[any]any{at(transaction, "contexts", "trace", "span_id"): at(transaction, "contexts", "trace", "op")}
	spans, _ := transaction["spans"].([]any)
	for _, span := range spans {
		ops[at(span, "span_id")] = at(span, "op")
	}
	var out []string
	for _, span := range spans {
		out = append(out, fmt.Sprint(ops[at(span, "parent_span_id")], " > ", at(span, "op"), " ", at(span, "description")))
	}
	return out
}

func treeIDs(transaction event) []any {
	ids := []any{at(transaction, "contexts", "trace", "span_id")}
	spans, _ := transaction["spans"].([]any)
	for _, span := range spans {
		ids = append(ids, at(span, "span_id"))
	}
	return ids
}
