// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// checkExpressions asks Prometheus for every expression of a rule, a panel and a runbook, and OpenSearch for every
// query of a runbook.
func checkExpressions(t *testing.T, r *rig, example pyenv.Answer) {
	// The placeholders for ids in the runbooks.
	ids := strings.NewReplacer(
		"0af7651916cd43dd8448eb211c80319c", example.TraceID, "0d0d1c8e-0000-4000-8000-000000000000", example.RunID,
	)
	for where, expr := range promQL(t) {
		t.Run(where, func(t *testing.T) {
			wait.For(t, "data for "+expr, func(ctx context.Context) error {
				samples, err := r.prometheus.Query(ctx, expr)
				if err == nil && len(samples) == 0 {
					err = fmt.Errorf("no data: %s", expr)
				}
				return err
			})
		})
	}
	for where, query := range openSearchQueries(t) {
		t.Run(where, func(t *testing.T) {
			var answer struct {
				Hits struct {
					Total struct {
						Value int `json:"value"`
					} `json:"total"`
				} `json:"hits"`
			}
			require.NoError(
				t, r.search.Send(t.Context(), query.method, query.path, json.RawMessage(ids.Replace(query.body)), &answer),
			)
			if !query.mayBeEmpty {
				require.NotZero(t, answer.Hits.Total.Value, "%s %s finds nothing", query.path, query.body)
			}
		})
	}
}

// promQL returns every shipped expression by its location, with Grafana's variables replaced.
func promQL(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	addRules(t, all)
	addPanels(t, all)
	for where, block := range blocks(t, "promql") {
		if !block.mayBeEmpty {
			all[where] = shortened(block.text)
		}
	}
	maps.DeleteFunc(all, func(_, expr string) bool { return withoutData.MatchString(expr) })
	require.NotEmpty(t, all)
	return all
}

// withoutData finds the expressions that have no data in this rig, which promtool's tests cover: counters that appear
// with the first failure, the plugin of an OpenSearch node, beat, and windows of hours and days.
var withoutData = regexp.MustCompile(
	`otelcol_exporter_(send|enqueue)_failed_|otelcol_opensearch_bulk_retries_total|opensearch_fs_|source="beat"|` +
		`_burn:(6h|3d)|_burn_slow|\[(6h|3d):1h\]`,
)

// limit is the comparison at the end of an alert's expression: nothing passes it in normal operation.
var limit = regexp.MustCompile(`\s*(==|!=|>=|<=|>|<)\s*[0-9.]+\s*$`)

func addRules(t *testing.T, all map[string]string) {
	t.Helper()
	files, err := filepath.Glob(repo.Path("config", "prometheus", "rules", "*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		var rules struct {
			Groups []struct {
				Rules []struct {
					Alert, Record, Expr string
				}
			}
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, &rules))
		for _, group := range rules.Groups {
			for _, rule := range group.Rules {
				if strings.Contains(rule.Expr, "otelcol_kafka_") {
					continue // there is no Kafka here: see kafka_test.go
				}
				expr := shortened(rule.Expr)
				if rule.Alert != "" {
					require.Regexp(t, limit, expr, "%s: an alert ends in its limit", rule.Alert)
					expr = limit.ReplaceAllString(expr, "")
				}
				all["rule "+rule.Alert+rule.Record] = expr
			}
		}
	}
}

var grafana = strings.NewReplacer(
	"$installation", ".*", "$role", ".*", "$workspace", ".*", "$app", ".*", "$queue", ".*", "$__rate_interval", "30s", "$__range", "30s",
)

type panels struct {
	Title  string
	Panels []struct {
		Title   string
		Targets []struct{ RefID, Expr string }
	}
}

func addPanels(t *testing.T, all map[string]string) {
	t.Helper()
	files, err := filepath.Glob(repo.Path("config", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		var board panels
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &board))
		for _, panel := range board.Panels {
			for _, target := range panel.Targets {
				where := fmt.Sprintf("%s, %s, %s", board.Title, panel.Title, target.RefID)
				all[where] = grafana.Replace(shortened(target.Expr))
			}
		}
	}
}

// block is a fenced block of a runbook. The word "empty" after its language allows an empty result.
type block struct {
	text       string
	mayBeEmpty bool
}

var fenced = regexp.MustCompile("(?s)\n```(\\w+)( empty)?\n(.*?\n)```\n")

func blocks(t *testing.T, language string) map[string]block {
	t.Helper()
	files, err := filepath.Glob(repo.Path("docs", "runbooks", "*.md"))
	require.NoError(t, err)
	all := map[string]block{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for i, found := range fenced.FindAllStringSubmatch(string(text), -1) {
			if found[1] == language {
				all[fmt.Sprintf("%s, block %d", filepath.Base(file), i+1)] = block{text: found[3], mayBeEmpty: found[2] != ""}
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

type openSearchQuery struct {
	method, path string
	body         string
	mayBeEmpty   bool
}

func openSearchQueries(t *testing.T) map[string]openSearchQuery {
	t.Helper()
	all := map[string]openSearchQuery{}
	for where, block := range blocks(t, "opensearch") {
		line, body, _ := strings.Cut(block.text, "\n")
		method, path, _ := strings.Cut(line, " ")
		require.True(t, json.Valid([]byte(body)), "%s: not JSON", where)
		all[where] = openSearchQuery{method: method, path: "/" + path, body: body, mayBeEmpty: block.mayBeEmpty}
	}
	return all
}
