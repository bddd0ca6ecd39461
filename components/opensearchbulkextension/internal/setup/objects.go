// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
)

// objectsVersion goes up whenever a saved object changes.
const objectsVersion = 2

// Types of saved objects, with the version of each one's format: that of OpenSearch Dashboards 1 to 3.
const (
	typeIndexPattern  = "index-pattern"
	typeSearch        = "search"
	typeVisualization = "visualization"
	typeDashboard     = "dashboard"
)

var formats = map[string]string{
	typeIndexPattern:  "7.6.0",
	typeSearch:        "7.9.3",
	typeVisualization: "7.10.0",
	typeDashboard:     "7.9.3",
}

// SavedObject is a line of an export of OpenSearch Dashboards.
type SavedObject struct {
	Attributes       object            `json:"attributes"`
	ID               string            `json:"id"`
	MigrationVersion map[string]string `json:"migrationVersion"`
	References       []reference       `json:"references"`
	Type             string            `json:"type"`
}

type reference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

func newObject(kind, id string, attributes object, references ...reference) SavedObject {
	if references == nil {
		references = []reference{}
	}
	return SavedObject{
		Type:             kind,
		ID:               id,
		Attributes:       attributes,
		References:       references,
		MigrationVersion: map[string]string{kind: formats[kind]},
	}
}

// nested is JSON in a JSON string, as OpenSearch Dashboards stores what it does not search.
func nested(value any) string {
	body, err := json.Marshal(value)
	if err != nil { // impossible: maps, lists and texts
		return ""
	}
	return string(body)
}

func indexPattern(id, title, timeField string) SavedObject {
	return newObject(typeIndexPattern, id, object{"title": title, "timeFieldName": timeField})
}

const sourceRef = "kibanaSavedObjectMeta.searchSourceJSON.index"

// source is a query in Lucene's syntax, which is sent to OpenSearch unchanged, over an index pattern.
func source(query string) object {
	return object{"searchSourceJSON": nested(object{
		"query": object{"query": query, "language": "lucene"}, "filter": []any{}, "indexRefName": sourceRef,
	})}
}

// query is what searches and visualizations have in common.
type query struct {
	id          string
	title       string
	description string
	over        string // id of an index pattern
	lucene      string
	sort        string // the time by which a search is sorted; empty: @timestamp
}

func (q query) attributes(more object) object {
	more["title"], more["description"], more["version"] = q.title, q.description, 1
	more["kibanaSavedObjectMeta"] = source(q.lucene)
	return more
}

func (q query) object(kind string, attributes object) SavedObject {
	return newObject(kind, q.id, q.attributes(attributes), reference{ID: q.over, Name: sourceRef, Type: typeIndexPattern})
}

// search is a saved search with the newest document first.
func search(q query, columns ...string) SavedObject {
	by := cmp.Or(q.sort, "@timestamp")
	return q.object(typeSearch, object{"columns": columns, "hits": 0, "sort": [][]string{{by, "desc"}}})
}

// agg is one aggregation of a visualization.
type agg struct {
	kind   string // the aggregation's name in OpenSearch
	schema string
	params object
}

func runs() agg {
	return agg{"count", "metric", object{"customLabel": "Runs"}}
}

func metric(kind, field, label string) agg {
	return agg{kind, "metric", object{"field": field, "customLabel": label}}
}

func percentile(percent int, field, label string) agg {
	return agg{"percentiles", "metric", object{"field": field, "percents": []int{percent}, "customLabel": label}}
}

// split makes a bucket for each of the most frequent values, in the order of the metric orderBy.
func split(schema, field, orderBy, label string, size int) agg {
	return agg{"terms", schema, object{
		"field": field, "orderBy": orderBy, "order": "desc", "size": size, "customLabel": label,
		"otherBucket": false, "otherBucketLabel": "Other", "missingBucket": false, "missingBucketLabel": "Missing",
	}}
}

func overTime() agg {
	return agg{"date_histogram", "segment", object{
		"field": "@timestamp", "interval": "auto", "useNormalizedOpenSearchInterval": true, "scaleMetricValues": false,
		"drop_partials": false, "min_doc_count": 1, "extended_bounds": object{},
	}}
}

// visualization numbers its aggregations from 1; they refer to each other by these numbers.
func visualization(q query, kind string, params object, aggs ...agg) SavedObject {
	list := make([]any, 0, len(aggs))
	for i, a := range aggs {
		list = append(list, object{
			"id": strconv.Itoa(i + 1), "enabled": true, "type": a.kind, "schema": a.schema, "params": a.params,
		})
	}
	return q.object(typeVisualization, object{
		"uiStateJSON": "{}",
		"visState":    nested(object{"title": q.title, "type": kind, "params": params, "aggs": list}),
	})
}

func table(q query, aggs ...agg) SavedObject {
	return visualization(q, "table", object{
		"perPage": 10, "showPartialRows": false, "showMetricsAtAllLevels": false, "showTotal": false, "totalFunc": "sum",
		"percentageCol": "",
	}, aggs...)
}

// stackedBars has one bar for each step of time, of one color for each value of the last aggregation.
func stackedBars(q query, label string, aggs ...agg) SavedObject {
	return visualization(q, "histogram", object{
		"type": "histogram", "grid": object{"categoryLines": false},
		"addTooltip": true, "addLegend": true, "legendPosition": "right",
		"times": []any{}, "addTimeMarker": false, "labels": object{"show": false},
		"thresholdLine": object{"show": false, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
		"categoryAxes": []any{object{
			"id": "CategoryAxis-1", "type": "category", "position": "bottom", "show": true, "style": object{},
			"scale": object{
				"type": "linear",
			}, "labels": object{"show": true, "filter": true, "truncate": 100}, "title": object{},
		}},
		"valueAxes": []any{object{
			"id": "ValueAxis-1", "name": "LeftAxis-1", "type": "value", "position": "left", "show": true, "style": object{},
			"scale":  object{"type": "linear", "mode": "normal"},
			"labels": object{"show": true, "rotate": 0, "filter": false, "truncate": 100}, "title": object{"text": label},
		}},
		"seriesParams": []any{object{
			"show": true, "type": "histogram", "mode": "stacked",
			"data": object{"label": label, "id": "1"}, "valueAxis": "ValueAxis-1",
			"drawLinesBetweenPoints": true, "lineWidth": 2, "showCircles": true,
		}},
	}, aggs...)
}

// panel is a place on a dashboard's grid, which is 48 columns wide.
type panel struct {
	of         SavedObject
	x, y, w, h int
}

func dashboard(id, title, description string, panels ...panel) SavedObject {
	list := make([]any, 0, len(panels))
	references := make([]reference, 0, len(panels))
	for i, p := range panels {
		index, name := strconv.Itoa(i+1), fmt.Sprintf("panel_%d", i)
		list = append(list, object{
			"version": "2.0.0", "panelIndex": index, "embeddableConfig": object{}, "panelRefName": name,
			"gridData": object{"x": p.x, "y": p.y, "w": p.w, "h": p.h, "i": index},
		})
		references = append(references, reference{ID: p.of.ID, Name: name, Type: p.of.Type})
	}
	return newObject(typeDashboard, id, object{
		"title": title, "description": description, "version": 1, "hits": 0, "timeRestore": false,
		"optionsJSON": nested(object{"useMargins": true, "hidePanelTitles": false}),
		"panelsJSON":  nested(list),
		"kibanaSavedObjectMeta": object{"searchSourceJSON": nested(object{
			"query": object{"query": "", "language": "lucene"}, "filter": []any{},
		})},
	}, references...)
}

// NDJSON returns the file that OpenSearch Dashboards imports: one object on each line.
func NDJSON(objects []SavedObject) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	for _, o := range objects {
		if err := encoder.Encode(o); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}
