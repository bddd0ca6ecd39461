// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulk

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/dashboards"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// shippedObjects returns the objects of the file that an operator may import by hand.
func shippedObjects(t *testing.T) []dashboards.Object {
	t.Helper()
	text, err := os.ReadFile(repo.Path("config", "opensearch", "dashboards.ndjson"))
	require.NoError(t, err)
	objects, err := dashboards.Parse(text)
	require.NoError(t, err)
	return objects
}

// The collector's addition to a description. The objects are otherwise those of the file.
var mark = regexp.MustCompile(` \(otelcol-dify \d+, [0-9a-f]{16}\)$`)

// Dashboards starts late, gets the missing objects, and keeps a user's changes. OpenSearch itself is not needed for
// that.
func TestDashboardsGetsItsObjects(t *testing.T) {
	const password = "secret-of-this-test"
	d := dashboards.Start(t, "otelcol", password)
	c := collector.Start(t, collector.Options{Env: map[string]string{
		"OTELCOL_OPENSEARCH_URL":      "http://127.0.0.1:1",
		"OTELCOL_DASHBOARDS_URL":      d.URL,
		"OTELCOL_OPENSEARCH_USERNAME": "otelcol",
		"OTELCOL_OPENSEARCH_PASSWORD": password,
	}})
	wait.For(t, "two attempts", func(context.Context) error {
		if d.Refused() < 2 {
			return errors.New("not asked twice")
		}
		return nil
	})
	d.Ready()
	shipped := shippedObjects(t)
	awaitObjects(t, d, len(shipped))
	for _, want := range shipped {
		got := d.Objects()[want.Key()]
		checkMarked(t, want, got)
	}

	theirs := d.Objects()["search/otelcol-dify-failed-runs"]
	theirs.Attributes["columns"] = []any{"body"}
	d.Put(theirs)
	c.KillAndRestart(t)
	wait.For(t, "the collector leaves what was changed", func(context.Context) error {
		if !regexp.MustCompile(`left as they are.*search otelcol-dify-failed-runs`).MatchString(c.Log()) {
			return errors.New("not said")
		}
		return nil
	})
	assert.Equal(t, theirs, d.Objects()[theirs.Key()])
	assert.NotContains(t, c.Log(), password)
}

func awaitObjects(t *testing.T, d *dashboards.Server, want int) {
	t.Helper()
	wait.For(t, "the objects", func(context.Context) error {
		if len(d.Objects()) != want {
			return errors.New("not there yet")
		}
		return nil
	})
}

func checkMarked(t *testing.T, want, got dashboards.Object) {
	t.Helper()
	if description, ok := got.Attributes["description"].(string); ok {
		assert.Regexp(t, mark, description)
		got.Attributes["description"] = mark.ReplaceAllString(description, "")
	}
	assert.Equal(t, want.Attributes, got.Attributes, want.Key())
	assert.Equal(t, want.References, got.References, want.Key())
}

// Each panel and each saved search finds the telemetry of a real Dify, sent through the shipped pipelines, in a real
// OpenSearch.
func TestEveryQueryFindsData(t *testing.T) {
	search := freshOpenSearch(t)
	recorded := sendRecordings(t, search)
	a := newAsker(t, search)

	for id, o := range a.of("visualization") {
		t.Run(id, func(t *testing.T) {
			a.checkFields(t, o)
			assert.NotEmpty(t, a.rows(t, o))
		})
	}
	for id, o := range a.of("search") {
		t.Run(id, func(t *testing.T) {
			a.checkFields(t, o)
			hits := a.hits(t, o)
			require.NotEmpty(t, hits)
			for _, column := range o.Attributes["columns"].([]any) {
				assert.True(t, slices.ContainsFunc(hits, func(fields map[string][]any) bool {
					return len(fields[column.(string)]) > 0
				}), "no document has a value in column %s", column)
			}
		})
	}
	t.Run("the figures are the database's", func(t *testing.T) { a.checkFigures(t, recorded) })
	t.Run("from a failed run to its trace", a.checkRunToTrace)
}

// checkFigures compares what the panels count with the rows that Dify wrote.
func (a *asker) checkFigures(t *testing.T, recorded *recordedFigures) {
	t.Helper()
	panels := a.of("visualization")
	status := map[string]float64{}
	for _, r := range a.rows(t, panels["otelcol-dify-runs-by-status"]) {
		status[r.keys[1]] += r.values["1"]
	}
	assert.Equal(t, recorded.runs, status)

	var slowest []float64
	for _, r := range a.rows(t, panels["otelcol-dify-slowest-apps"]) {
		slowest = append(slowest, r.values["1"])
	}
	assert.IsDecreasing(t, slowest, "the slowest app is the first one")

	failures := 0.0
	for _, r := range a.rows(t, panels["otelcol-dify-failures-by-error"]) {
		assert.NotEmpty(t, r.keys[0], "an error's text")
		failures += r.values["1"]
	}
	assert.InDelta(t, recorded.runs["failed"], failures, 0)

	tokens := 0.0
	for _, r := range a.rows(t, panels["otelcol-dify-tokens-by-app"]) {
		tokens += r.values["1"]
	}
	assert.InDelta(t, recorded.tokens, tokens, 0)
}

// checkRunToTrace follows the descriptions: a filter for a run's id finds its spans, and their trace id finds the
// whole trace.
func (a *asker) checkRunToTrace(t *testing.T) {
	searches := a.of("search")
	const run = "attributes.dify.workflow_run_id"
	failed := a.hits(t, searches["otelcol-dify-failed-runs"])
	require.NotEmpty(t, failed)
	for _, record := range failed {
		spans := a.hits(t, searches["otelcol-dify-run-trace"], fieldIs(run, record[run][0]))
		require.NotEmpty(t, spans, "run %s has no spans", record[run][0])
		for _, span := range spans {
			assert.Equal(t, spans[0]["traceId"], span["traceId"])
		}
		errs := a.hits(t, searches["otelcol-dify-span-errors"], fieldIs("traceId", spans[0]["traceId"][0]))
		assert.NotEmpty(t, errs, "the trace of a failed run shows an error")
	}
}
