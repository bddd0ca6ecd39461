// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulk

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// Documents are copied until there are so many of a kind: a small index is mostly fixed costs.
const sizedDocuments = 100_000

// BenchmarkDocumentSize measures the bytes on disk of a span and of a run, after a force-merge, with the shipped
// index templates, and with the fields that OpenSearch maps by itself. The documents are those of two recorded Difys,
// copied with ids and times of their own.
func BenchmarkDocumentSize(b *testing.B) {
	search := freshOpenSearch(b)
	env := recordedWork(b)
	env["OTELCOL_OPENSEARCH_URL"] = search.URL
	for _, format := range []string{"ss4o", "otel-v1"} {
		b.Run(format, func(b *testing.B) {
			require.NoError(b, search.Reset(b.Context()))
			env["OTELCOL_OPENSEARCH_FORMAT"] = format
			c := collector.Start(b, collector.Options{
				Configs: append([]string{
					collector.ShippedConfig(), "yaml:receivers::workflow_log::start_at: beginning",
				}, collector.KeepDays()...),
				Env: env,
			})
			awaitTemplates(b, search)
			for _, recording := range []string{recordings.Traces, recordings.WorkTraces} {
				for _, line := range recordings.Lines(b, recording) {
					export(b, c, "traces", line)
				}
			}
			spans := map[string]string{"ss4o": "dify-traces", "otel-v1": "otel-v1-apm-span"}[format]
			awaitSpans(b, c, search, spans+"-*")
			awaitCount(b, search, "workflow-logs-*", recordedWorkRuns)
			c.Terminate(b)
			for b.Loop() {
				b.ReportMetric(sizeOf(b, search, spans, spans+"-copies"), "B/span")
				b.ReportMetric(sizeOf(b, search, spans, "unmapped-spans"), "unmapped-B/span")
				b.ReportMetric(sizeOf(b, search, "workflow-logs", "workflow-logs-copies"), "B/run")
				b.ReportMetric(sizeOf(b, search, "workflow-logs", "unmapped-runs"), "unmapped-B/run")
			}
		})
	}
}

// recordedWorkRuns are the runs that have ended in the recording of a Dify at work.
const recordedWorkRuns = 169

// recordedWork restores the database of that Dify, and returns its variables.
func recordedWork(tb testing.TB) map[string]string {
	tb.Helper()
	pg := servers.Run(tb, servers.StartPostgres)
	dify := pg.NewDify(tb, func(ctx context.Context, database string) error {
		return pg.Restore(ctx, database, recordings.Unzipped(tb, recordings.WorkRows))
	})
	return dify.Env
}

// sizeOf copies the documents of from-* into an index and returns its bytes for each document.
func sizeOf(tb testing.TB, search *servers.OpenSearch, from, index string) float64 {
	tb.Helper()
	var originals []servers.Hit
	require.NoError(tb, search.Walk(tb.Context(), from+"-2*", []string{"*"}, func(hit servers.Hit) {
		originals = append(originals, hit)
	}))
	require.NotEmpty(tb, originals)
	_ = search.Send(tb.Context(), http.MethodDelete, "/"+index, nil, &struct{}{}) // of an earlier round, if there was one
	var body bytes.Buffer
	count := 0
	for copied := 0; count < sizedDocuments; copied++ {
		for _, hit := range originals {
			writeCopy(tb, &body, hit, copied)
			count++
			if body.Len() > 4<<20 {
				post(tb, search, index, &body)
			}
		}
	}
	post(tb, search, index, &body)
	require.NoError(tb, search.Send(tb.Context(), http.MethodPost,
		"/"+index+"/_forcemerge?max_num_segments=1&flush=true", nil, &struct{}{}))
	require.NoError(tb, search.Send(tb.Context(), http.MethodPost, "/"+index+"/_refresh", nil, &struct{}{}))
	var stats struct {
		All struct {
			Primaries struct {
				Store struct {
					Bytes float64 `json:"size_in_bytes"`
				} `json:"store"`
			} `json:"primaries"`
		} `json:"_all"`
	}
	require.NoError(tb, search.Send(tb.Context(), http.MethodGet, "/"+index+"/_stats/store", nil, &stats))
	return stats.All.Primaries.Store.Bytes / float64(count)
}

func post(tb testing.TB, search *servers.OpenSearch, index string, body *bytes.Buffer) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost,
		search.URL+"/"+index+"/_bulk?filter_path=errors", body)
	require.NoError(tb, err)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	defer resp.Body.Close()
	var answer struct {
		Errors bool `json:"errors"`
	}
	require.NoError(tb, json.NewDecoder(resp.Body).Decode(&answer))
	require.False(tb, answer.Errors)
	body.Reset()
}

// idKeys are the values that no other trace, run or message has.
var idKeys = []string{
	"dify.workflow_run_id", "dify.workflow_app_log.id", "dify.message_id", "dify.conversation_id",
	"dify.node.execution_id", "node.execution_id", "log.record.uid",
}

// writeCopy writes an action and a document with ids of its own, at a later time.
func writeCopy(tb testing.TB, body *bytes.Buffer, hit servers.Hit, copied int) {
	tb.Helper()
	document := maps.Clone(hit.Source)
	for _, key := range []string{"traceId", "spanId", "parentSpanId"} {
		if id, ok := document[key].(string); ok {
			document[key] = otherID(id, copied)
		}
	}
	for _, key := range []string{"@timestamp", "startTime", "endTime", "time", "observedTimestamp"} {
		if at, ok := document[key].(string); ok {
			document[key] = later(tb, at, copied)
		}
	}
	if attributes, ok := document["attributes"].(map[string]any); ok {
		attributes = maps.Clone(attributes)
		for _, key := range idKeys {
			if id, ok := attributes[key].(string); ok {
				attributes[key] = otherID(id, copied)
			}
		}
		document["attributes"] = attributes
	}
	encoded, err := json.Marshal(document)
	require.NoError(tb, err)
	fmt.Fprintf(body, "{\"create\":{\"_id\":%q}}\n%s\n", otherID(hit.ID, copied), encoded)
}

var idSeed = maphash.MakeSeed()

// otherID returns an id of the same form: each group of hex digits is replaced by another one.
func otherID(id string, copied int) string {
	parts := strings.Split(id, "-")
	for i, part := range parts {
		if raw, err := hex.DecodeString(part); err == nil {
			for j := 0; j < len(raw); j += 8 {
				sum := maphash.String(idSeed, fmt.Sprint(copied, part, j))
				for k := range min(8, len(raw)-j) {
					raw[j+k] = byte(sum >> (8 * k))
				}
			}
			parts[i] = hex.EncodeToString(raw)
		}
	}
	return strings.Join(parts, "-")
}

func later(tb testing.TB, at string, copied int) string {
	tb.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, at)
	require.NoError(tb, err)
	return parsed.Add(time.Duration(copied) * 17 * time.Minute).Format(time.RFC3339Nano)
}
