// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// TestMappingsStayAsTheTemplatesSay sends what would blow up dynamic mappings: thousands of attribute names, names
// that are both a value and a prefix, one name with values of every type. Each document is accepted, and no field is
// added.
func TestMappingsStayAsTheTemplatesSay(t *testing.T) {
	search := freshOpenSearch(t)
	c := startLogs(t, search)
	awaitTemplates(t, search)
	for _, same := range oddAttributes() {
		export(
			t,
			c,
			"logs",
			`{"resourceLogs":[{"resource":{"attributes":[`+same+`]},"scopeLogs":[{"scope":{"attributes":[`+same+`]},
"logRecords":[{"timeUnixNano":"1795430274000000000","body":{"kvlistValue":{"values":[{"key":"b","value":{"intValue":"1"}}]}},"attributes":[`+same+`]}]}]}]}`,
		)
		export(t, c, "traces", oddSpan(same))
	}
	for _, prefix := range []string{"workflow-logs-", "dify-logs-", "dify-traces-"} {
		awaitCount(t, search, prefix+"2026.11.23", 3)
		require.NoError(t, search.Send(t.Context(), http.MethodPut, "/"+prefix+"empty", nil, &struct{}{}))
		assert.Equal(
			t, mappings(t, search, prefix+"empty"), mappings(t, search, prefix+"2026.11.23"),
			"what the template says, and nothing else",
		)
	}
}

// oddAttributes are lists of attributes in OTLP's JSON.
func oddAttributes() []string {
	odd := []string{
		`{"key":"http","value":{"stringValue":"a value"}}`,
		`{"key":"http.url","value":{"stringValue":"and a prefix"}}`,
		`{"key":"http.url.full","value":{"kvlistValue":{"values":[{"key":"deep","value":{"intValue":"1"}}]}}}`,
		`{"key":"dify","value":{"boolValue":true}}`,
		`{"key":"dify.workflow_run","value":{"doubleValue":0.5}}`,
		`{"key":"http.response.status_code","value":{"stringValue":"none"}}`,
		`{"key":"dify.workflow_run.created_at","value":{"stringValue":"yesterday"}}`,
		`{"key":"a.list","value":{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"x"}]}}}`,
	}
	for i := range 2000 {
		odd = append(odd, fmt.Sprintf(`{"key":"typo.%d","value":{"stringValue":"x"}}`, i))
	}
	attributes := strings.Join(odd, ",")
	var lists []string
	for _, other := range []string{
		`{"intValue":"7"}`, `{"stringValue":"x"}`, `{"kvlistValue":{"values":[{"key":"b","value":{"boolValue":true}}]}}`,
	} {
		lists = append(lists, attributes+`,{"key":"any","value":`+other+`}`)
	}
	return lists
}

// oddSpan is a request with one span that has the attributes everywhere. Its id is their length.
func oddSpan(same string) string {
	return `{"resourceSpans":[{"resource":{"attributes":[` + same + `]},"scopeSpans":[{"scope":{"attributes":[` + same + `]},
"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"` + fmt.Sprintf("%016x", len(same)) + `","name":"n",
"startTimeUnixNano":"1795430274000000000","endTimeUnixNano":"1795430274000000000","attributes":[` + same + `],
"events":[{"name":"e","timeUnixNano":"1795430274000000000","attributes":[` + same + `]}]}]}]}]}`
}

// startLogs runs the shipped configuration with log records over OTLP, which are written to workflow-logs-* and
// dify-logs-*.
func startLogs(t *testing.T, search *servers.OpenSearch) *collector.Collector {
	t.Helper()
	return collector.Start(t, collector.Options{
		Configs: append([]string{
			collector.ShippedConfig(),
			repo.Path("tests", "opensearchbulk", "testdata", "logs.yaml"),
			"yaml:service::pipelines::logs::receivers: [otlp]",
		}, collector.KeepDays()...),
		Env: map[string]string{"OTELCOL_OPENSEARCH_URL": search.URL, "DB_HOST": "127.0.0.1", "DB_PORT": "1"},
	})
}

func mappings(t *testing.T, search *servers.OpenSearch, index string) any {
	t.Helper()
	var found map[string]struct {
		Mappings map[string]any `json:"mappings"`
	}
	require.NoError(t, search.Send(t.Context(), http.MethodGet, "/"+index+"/_mapping", nil, &found))
	require.NotEmpty(t, found[index].Mappings)
	return found[index].Mappings
}

// TestTemplatesThatAnOperatorChangedAreLeft uses a real node, which returns templates in its own form: unchanged
// templates are recognized as ours, and changed ones survive every start.
func TestTemplatesThatAnOperatorChangedAreLeft(t *testing.T) {
	search := freshOpenSearch(t)
	c := startLogs(t, search)
	awaitTemplates(t, search)

	var found struct {
		Templates []struct {
			Content map[string]any `json:"index_template"`
		} `json:"index_templates"`
	}
	const path = "/_index_template/otelcol-dify-traces"
	require.NoError(t, search.Send(t.Context(), http.MethodGet, path, nil, &found))
	theirs := found.Templates[0].Content
	theirs["template"].(map[string]any)["settings"].(map[string]any)["index"].(map[string]any)["number_of_shards"] = "3"
	require.NoError(t, search.Send(t.Context(), http.MethodPut, path, theirs, &struct{}{}))
	require.NoError(
		t, search.Send(t.Context(), http.MethodDelete, "/_index_template/otelcol-dify-dead-letter", nil, &struct{}{}),
	)

	c.KillAndRestart(t)
	awaitTemplates(t, search)
	wait.For(t, "the collector says what it left", func(context.Context) error {
		if !strings.Contains(c.Log(), "changed by hand") {
			return errors.New("not said")
		}
		return nil
	})
	assert.Equal(
		t, 5, strings.Count(c.Log(), " is written\t"), "four at first, then the one that was deleted",
	)
	require.NoError(t, search.Send(t.Context(), http.MethodGet, path, nil, &found))
	assert.Equal(t, theirs, found.Templates[0].Content)
	assert.Equal(t, 2, strings.Count(c.Log(), "nothing deletes old indices"), "once a start")
}
