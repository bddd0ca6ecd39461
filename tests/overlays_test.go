// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// combined merges overlays over the shipped configuration as the documents say, and returns the file.
func combined(t *testing.T, overlays ...string) string {
	t.Helper()
	result := collector.Difyctl(t, nil, append([]string{"config", collector.ShippedConfig()}, overlays...)...)
	require.Zero(t, result.Code, result.Output)
	file := filepath.Join(t.TempDir(), "combined.yaml")
	require.NoError(t, os.WriteFile(file, []byte(result.Output), 0o600))
	return file
}

// Each pair of overlays works in both orders, also on top of the overlay that demands a key.
func TestOverlaysCombine(t *testing.T) {
	overlays, err := filepath.Glob(repo.Path("config", "overlays", "*.yaml"))
	require.NoError(t, err)
	require.Greater(t, len(overlays), 4)
	auth := repo.Path("config", "overlays", "auth.yaml")
	for _, first := range overlays {
		for _, second := range overlays {
			if first == second {
				continue
			}
			t.Run(filepath.Base(first)+" "+filepath.Base(second), func(t *testing.T) {
				file := combined(t, first, second, auth)
				result := collector.Validate(t, requiredEnv, file)
				assert.Zero(t, result.Code, result.Output)

				text, err := os.ReadFile(file)
				require.NoError(t, err)
				var config pipelines
				require.NoError(t, yaml.Unmarshal(text, &config))
				checkRules(t, config)
				var all struct {
					Service struct{ Extensions []string }
				}
				require.NoError(t, yaml.Unmarshal(text, &all))
				assert.Subset(t, all.Service.Extensions, []string{"bearertokenauth/OTLP_API_KEY", "opensearch_bulk", "otlp_guard"})
				assert.Equal(t, names(t, combined(t, second, auth, first)), names(t, file), "the order does not matter")
			})
		}
	}
}

// names returns the sets of components of each pipeline.
func names(t *testing.T, file string) map[string][3]map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var config pipelines
	require.NoError(t, yaml.Unmarshal(text, &config))
	sets := map[string][3]map[string]bool{}
	for id, pipeline := range config.Service.Pipelines {
		var set [3]map[string]bool
		for i, list := range [][]string{pipeline.Receivers, pipeline.Processors, pipeline.Exporters} {
			set[i] = map[string]bool{}
			for _, name := range list {
				set[i][name] = true
			}
		}
		sets[id] = set
	}
	return sets
}

func TestOverlayRemoves(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(mine, []byte("remove: [receivers::celery_queue, exporters::sentry]\n"), 0o600))
	file := combined(t, mine)
	result := collector.Validate(t, requiredEnv, file)
	assert.Zero(t, result.Code, result.Output)
	for id, sets := range names(t, file) {
		assert.NotContains(t, sets[0], "celery_queue", id)
		assert.NotContains(t, sets[2], "sentry", id)
	}
}
