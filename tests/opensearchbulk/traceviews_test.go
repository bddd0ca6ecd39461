// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulk

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

const traceViews = "otel-v1-apm-span-*"

// traceDocument has the fields of OpenSearch's trace schema that a view reads.
type traceDocument struct {
	TraceID         string    `json:"traceId"`
	SpanID          string    `json:"spanId"`
	ParentSpanID    string    `json:"parentSpanId"`
	Name            string    `json:"name"`
	Kind            string    `json:"kind"`
	ServiceName     string    `json:"serviceName"`
	StartTime       time.Time `json:"startTime"`
	EndTime         time.Time `json:"endTime"`
	Timestamp       time.Time `json:"@timestamp"`
	DurationInNanos int64     `json:"durationInNanos"`
	Status          struct {
		Code int `json:"code"`
	} `json:"status"`
	TraceGroup       string `json:"traceGroup"`
	TraceGroupFields *struct {
		DurationInNanos int64 `json:"durationInNanos"`
		StatusCode      int   `json:"statusCode"`
	} `json:"traceGroupFields"`
	Events []struct {
		Name       string         `json:"name"`
		Time       time.Time      `json:"time"`
		Attributes map[string]any `json:"attributes"`
	} `json:"events"`
	Links []struct {
		TraceID string `json:"traceId"`
	} `json:"links"`
	Attributes map[string]any `json:"attributes"`
	Resource   struct {
		Attributes map[string]any `json:"attributes"`
	} `json:"resource"`
}

// With `format: otel-v1` every recorded span becomes a document of OpenSearch's trace schema, and the queries of its
// trace views and of Grafana's data source find them.
func TestTraceViews(t *testing.T) {
	search := freshOpenSearch(t)
	_, env := recordedDatabase(t)
	env["OTELCOL_OPENSEARCH_URL"], env["OTELCOL_OPENSEARCH_FORMAT"] = search.URL, "otel-v1"
	c := collector.Start(t, collector.Options{
		Configs: append([]string{collector.ShippedConfig()}, collector.KeepDays()...), Env: env,
	})
	for _, recording := range []string{recordings.Traces, recordings.WorkTraces} {
		for _, line := range recordings.Lines(t, recording) {
			export(t, c, "traces", line)
		}
	}
	for _, attributes := range oddAttributes() {
		export(t, c, "traces", oddSpan(attributes))
	}
	awaitSpans(t, c, search, traceViews)
	awaitCount(t, search, "dify-traces-*", 0)
	awaitCount(t, search, "otelcol-dify-dead-letter*", 0)

	documents := traceDocuments(t, search)
	checkTraceDocuments(t, documents)
	checkTraceList(t, search, documents)
	checkTraceQueries(t, search, documents)
}

func traceDocuments(t *testing.T, search *servers.OpenSearch) map[string][]traceDocument {
	t.Helper()
	traces := map[string][]traceDocument{}
	require.NoError(t, search.Walk(t.Context(), traceViews, []string{"*"}, func(hit servers.Hit) {
		raw, err := json.Marshal(hit.Source)
		require.NoError(t, err)
		var document traceDocument
		require.NoError(t, json.Unmarshal(raw, &document))
		require.Equal(t, document.TraceID+"-"+document.SpanID, hit.ID)
		require.Equal(t, "otel-v1-apm-span-"+document.StartTime.Format("2006.01.02"), hit.Index)
		traces[document.TraceID] = append(traces[document.TraceID], document)
	}))
	return traces
}

func checkTraceDocuments(t *testing.T, traces map[string][]traceDocument) {
	t.Helper()
	grouped := 0
	for _, trace := range traces {
		var root *traceDocument
		for i := range trace {
			if trace[i].ParentSpanID == "" {
				root = &trace[i]
			}
		}
		for _, span := range trace {
			require.Equal(t, span.EndTime.Sub(span.StartTime).Nanoseconds(), span.DurationInNanos, span.SpanID)
			require.Equal(t, span.StartTime, span.Timestamp, span.SpanID)
			require.True(t, strings.HasPrefix(span.Kind, "SPAN_KIND_"), span.Kind)
			service, _ := span.Resource.Attributes["service.name"].(string)
			require.Equal(t, service, span.ServiceName)
			require.NotContains(t, span.Attributes, "data_stream")
			require.NotNil(t, span.Events, "a view reads the list of each span")
			for _, event := range span.Events {
				require.NotNil(t, event.Attributes)
				require.False(t, event.Time.IsZero())
			}
			if span.TraceGroup == "" {
				require.Nil(t, span.TraceGroupFields)
				continue
			}
			grouped++
			require.NotNil(t, root)
			require.Equal(t, root.Name, span.TraceGroup)
			require.Equal(t, root.DurationInNanos, span.TraceGroupFields.DurationInNanos)
			require.Equal(t, root.Status.Code, span.TraceGroupFields.StatusCode)
		}
		if root != nil {
			assert.NotEmpty(t, root.TraceGroup, "a root is in its own request")
		}
	}
	assert.Greater(t, grouped, 5000, "most spans come in a request with their root")
}

// The list of traces as Trace Analytics and Grafana's data source ask for it.
func checkTraceList(t *testing.T, search *servers.OpenSearch, traces map[string][]traceDocument) {
	t.Helper()
	var list struct {
		Aggregations struct {
			Traces struct {
				Buckets []struct {
					Key        string `json:"key"`
					TraceGroup struct {
						Buckets []struct {
							Key string `json:"key"`
						} `json:"buckets"`
					} `json:"trace_group"`
					Errors struct {
						Count int `json:"doc_count"`
					} `json:"error_count"`
					Latency struct {
						Value float64 `json:"value"`
					} `json:"latency"`
				} `json:"buckets"`
			} `json:"traces"`
		} `json:"aggregations"`
	}
	require.NoError(t, search.Send(t.Context(), http.MethodPost, "/"+traceViews+"/_search", map[string]any{
		"size":  0,
		"query": map[string]any{"range": map[string]any{"startTime": map[string]any{"gte": "2020-01-01T00:00:00Z"}}},
		"aggs": map[string]any{"traces": map[string]any{
			"terms": map[string]any{"field": "traceId", "size": 60000, "order": map[string]any{"_key": "asc"}},
			"aggs": map[string]any{
				"trace_group": map[string]any{"terms": map[string]any{"field": "traceGroup", "size": 1}},
				"error_count": map[string]any{"filter": map[string]any{"term": map[string]any{"traceGroupFields.statusCode": 2}}},
				"latency":     map[string]any{"max": map[string]any{"field": "traceGroupFields.durationInNanos"}},
			},
		}},
	}, &list))
	require.Len(t, list.Aggregations.Traces.Buckets, len(traces))
	for _, bucket := range list.Aggregations.Traces.Buckets {
		require.Len(t, bucket.TraceGroup.Buckets, 1, "Grafana reads the first group of each trace")
		failed := 0
		for _, span := range traces[bucket.Key] {
			if fields := span.TraceGroupFields; fields != nil && fields.StatusCode == 2 {
				failed++
			}
		}
		require.Equal(t, failed, bucket.Errors.Count)
	}
}

// What the views search by, against the same counted in the documents.
func checkTraceQueries(t *testing.T, search *servers.OpenSearch, traces map[string][]traceDocument) {
	t.Helper()
	term := func(field string, value any) map[string]any {
		return map[string]any{"term": map[string]any{field: value}}
	}
	for name, tt := range map[string]struct {
		query   map[string]any
		matches func(traceDocument) bool
	}{
		"roots":  {term("parentSpanId", ""), func(d traceDocument) bool { return d.ParentSpanID == "" }},
		"failed": {term("status.code", 2), func(d traceDocument) bool { return d.Status.Code == 2 }},
		"a service": {
			term("serviceName", "langgenius/dify"), func(d traceDocument) bool { return d.ServiceName == "langgenius/dify" },
		},
		"a role": {
			term("resource.attributes.dify.role", "worker"),
			func(d traceDocument) bool { return d.Resource.Attributes["dify.role"] == "worker" },
		},
		"slow": {
			map[string]any{"range": map[string]any{"durationInNanos": map[string]any{"gte": 1_000_000_000}}},
			func(d traceDocument) bool { return d.DurationInNanos >= 1_000_000_000 },
		},
		"calls of models": {
			map[string]any{"exists": map[string]any{"field": "attributes.gen_ai.request.model"}},
			func(d traceDocument) bool { return d.Attributes["gen_ai.request.model"] != nil },
		},
		"exceptions, one by one": {
			map[string]any{"nested": map[string]any{"path": "events", "query": term("events.name", "exception")}},
			func(d traceDocument) bool {
				for _, event := range d.Events {
					if event.Name == "exception" {
						return true
					}
				}
				return false
			},
		},
		"linked": {
			map[string]any{"nested": map[string]any{
				"path": "links", "query": map[string]any{"exists": map[string]any{"field": "links.traceId"}},
			}},
			func(d traceDocument) bool { return len(d.Links) > 0 },
		},
	} {
		want := 0
		for _, trace := range traces {
			for _, span := range trace {
				if tt.matches(span) {
					want++
				}
			}
		}
		require.Positive(t, want, name)
		var found answer
		require.NoError(t, search.Send(t.Context(), http.MethodPost, "/"+traceViews+"/_search",
			map[string]any{"size": 0, "track_total_hits": true, "query": tt.query}, &found), name)
		assert.Equal(t, want, found.Hits.Total.Value, name)
	}
}
