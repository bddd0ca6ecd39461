// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulk

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/dashboards"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// asker sends the queries of saved objects to a real node, as Dashboards does.
type asker struct {
	search  *servers.OpenSearch
	objects map[string]dashboards.Object
}

func newAsker(t *testing.T, search *servers.OpenSearch) *asker {
	t.Helper()
	a := &asker{search: search, objects: map[string]dashboards.Object{}}
	for _, o := range shippedObjects(t) {
		a.objects[o.Key()] = o
	}
	return a
}

// of returns the objects of one type.
func (a *asker) of(kind string) map[string]dashboards.Object {
	found := map[string]dashboards.Object{}
	for _, o := range a.objects {
		if o.Type == kind {
			found[o.ID] = o
		}
	}
	return found
}

// pattern returns the index pattern that an object searches.
func (a *asker) pattern(t *testing.T, o dashboards.Object) string {
	t.Helper()
	over, ok := a.objects["index-pattern/"+o.References[0].ID]
	require.True(t, ok, o.ID)
	return over.Attributes["title"].(string)
}

// answer is a search response of OpenSearch.
type answer struct {
	Hits struct {
		Total struct {
			Value int `json:"value"`
		} `json:"total"`
		Hits []struct {
			Fields map[string][]any `json:"fields"`
		} `json:"hits"`
	} `json:"hits"`
	Aggregations map[string]json.RawMessage `json:"aggregations"`
}

// ask sends an object's query, in the form that Dashboards uses for Lucene's syntax, with additions to the body.
func (a *asker) ask(t *testing.T, o dashboards.Object, body map[string]any, filters ...any) answer {
	t.Helper()
	var source struct {
		Query struct {
			Query string `json:"query"`
		} `json:"query"`
		Filter []any `json:"filter"`
	}
	meta := o.Attributes["kibanaSavedObjectMeta"].(map[string]any)
	require.NoError(t, json.Unmarshal([]byte(meta["searchSourceJSON"].(string)), &source))
	require.Empty(t, source.Filter, "this test would have to translate them")
	filters = append(filters,
		map[string]any{"query_string": map[string]any{"query": source.Query.Query, "analyze_wildcard": true}},
		map[string]any{"range": map[string]any{"@timestamp": map[string]any{
			"gte": "2020-01-01T00:00:00.000Z", "lte": "2100-01-01T00:00:00.000Z", "format": "strict_date_optional_time",
		}}})
	body["query"] = map[string]any{"bool": map[string]any{"filter": filters}}
	var found answer
	require.NoError(t, a.search.Send(t.Context(), "POST", "/"+a.pattern(t, o)+"/_search", body, &found), o.ID)
	return found
}

// hits executes a saved search and returns the documents' fields.
func (a *asker) hits(t *testing.T, o dashboards.Object, filters ...any) []map[string][]any {
	t.Helper()
	sort := []any{}
	for _, by := range o.Attributes["sort"].([]any) {
		pair := by.([]any)
		sort = append(sort, map[string]any{pair[0].(string): map[string]any{"order": pair[1], "unmapped_type": "boolean"}})
	}
	found := a.ask(t, o, map[string]any{"size": 500, "sort": sort, "_source": false, "fields": []string{"*"}}, filters...)
	list := make([]map[string][]any, 0, len(found.Hits.Hits))
	for _, hit := range found.Hits.Hits {
		list = append(list, hit.Fields)
	}
	return list
}

// aggregation is an aggregation of a visualization.
type aggregation struct {
	ID     string         `json:"id"`
	Type   string         `json:"type"`
	Schema string         `json:"schema"`
	Params map[string]any `json:"params"`
}

func aggregations(t *testing.T, o dashboards.Object) (metrics, buckets []aggregation) {
	t.Helper()
	var state struct {
		Aggs []aggregation `json:"aggs"`
	}
	require.NoError(t, json.Unmarshal([]byte(o.Attributes["visState"].(string)), &state))
	for _, a := range state.Aggs {
		if a.Schema == "metric" {
			metrics = append(metrics, a)
		} else {
			buckets = append(buckets, a)
		}
	}
	return metrics, buckets
}

// row is a line of a table: the values of its buckets, and its metrics by id.
type row struct {
	keys   []string
	values map[string]float64
}

// rows executes a visualization: buckets are nested, with the metrics in each of them, as in Dashboards.
func (a *asker) rows(t *testing.T, o dashboards.Object) []row {
	t.Helper()
	metrics, buckets := aggregations(t, o)
	found := a.ask(t, o, map[string]any{"size": 0, "track_total_hits": true, "aggs": dsl(t, metrics, buckets)})
	return readRows(t, found.Aggregations, metrics, buckets, nil)
}

func dsl(t *testing.T, metrics, buckets []aggregation) map[string]any {
	t.Helper()
	aggs := map[string]any{}
	for _, m := range metrics {
		if m.Type != "count" { // the number of documents in the bucket
			aggs[m.ID] = map[string]any{m.Type: without(m.Params, "customLabel")}
		}
	}
	if len(buckets) == 0 {
		return aggs
	}
	b := buckets[0]
	body := map[string]any{"aggs": dsl(t, metrics, buckets[1:])}
	switch b.Type {
	case "terms":
		order := fmt.Sprint(b.Params["orderBy"])
		if typeOf(metrics, order) == "count" {
			order = "_count"
		}
		body["terms"] = map[string]any{
			"field": b.Params["field"], "size": b.Params["size"], "order": map[string]any{order: b.Params["order"]},
		}
	case "date_histogram":
		require.Equal(t, "auto", b.Params["interval"])
		body["date_histogram"] = map[string]any{
			"field": b.Params["field"], "fixed_interval": "30s", "time_zone": "UTC",
			"min_doc_count": b.Params["min_doc_count"],
		}
	default:
		require.Fail(t, "this test would have to translate "+b.Type)
	}
	aggs[b.ID] = body
	return aggs
}

// typeOf returns the type of the metric with an id.
func typeOf(metrics []aggregation, id string) string {
	for _, m := range metrics {
		if m.ID == id {
			return m.Type
		}
	}
	return ""
}

func without(params map[string]any, key string) map[string]any {
	left := map[string]any{}
	for name, value := range params {
		if name != key {
			left[name] = value
		}
	}
	return left
}

func readRows(t *testing.T, found map[string]json.RawMessage, metrics, buckets []aggregation, keys []string) []row {
	t.Helper()
	var list struct {
		Buckets []map[string]json.RawMessage `json:"buckets"`
	}
	require.NoError(t, json.Unmarshal(found[buckets[0].ID], &list))
	var rows []row
	for _, bucket := range list.Buckets {
		path := slices.Concat(keys, []string{strings.Trim(string(bucket["key"]), `"`)})
		if len(buckets) > 1 {
			rows = append(rows, readRows(t, bucket, metrics, buckets[1:], path)...)
			continue
		}
		rows = append(rows, row{path, readMetrics(t, bucket, metrics)})
	}
	return rows
}

func readMetrics(t *testing.T, bucket map[string]json.RawMessage, metrics []aggregation) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	for _, m := range metrics {
		var result struct {
			Value  *float64           `json:"value"`
			Values map[string]float64 `json:"values"`
		}
		if m.Type == "count" {
			result.Value = new(float64)
			require.NoError(t, json.Unmarshal(bucket["doc_count"], result.Value))
		} else {
			require.NoError(t, json.Unmarshal(bucket[m.ID], &result))
		}
		for _, value := range result.Values {
			result.Value = &value
		}
		require.NotNil(t, result.Value, "metric %s has no value", m.ID)
		values[m.ID] = *result.Value
	}
	return values
}

// fieldIs returns the filter that a click on a value adds.
func fieldIs(field string, value any) any {
	return map[string]any{"match_phrase": map[string]any{field: value}}
}

// checkFields checks that fields of a pattern can be searched and, if used in buckets, aggregated, as Dashboards
// does.
func (a *asker) checkFields(t *testing.T, o dashboards.Object) {
	t.Helper()
	var capabilities struct {
		Fields map[string]map[string]struct {
			Searchable   bool `json:"searchable"`
			Aggregatable bool `json:"aggregatable"`
		} `json:"fields"`
	}
	require.NoError(t, a.search.Send(t.Context(), "GET", "/"+a.pattern(t, o)+"/_field_caps?fields=*", nil, &capabilities))
	check := func(field string, counted bool) {
		types := capabilities.Fields[field]
		require.Len(t, types, 1, "%s: field %s has one type in all indices", o.ID, field)
		for kind, can := range types {
			assert.True(t, can.Searchable, "%s: %s (%s)", o.ID, field, kind)
			assert.True(t, can.Aggregatable || !counted, "%s: %s (%s)", o.ID, field, kind)
		}
	}
	if o.Type == "search" {
		for _, column := range o.Attributes["columns"].([]any) {
			check(column.(string), false)
		}
		return
	}
	metrics, buckets := aggregations(t, o)
	for _, used := range append(metrics, buckets...) {
		if field, ok := used.Params["field"].(string); ok {
			check(field, true)
		}
	}
}
