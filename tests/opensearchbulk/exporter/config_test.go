// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package exporter

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.yaml.in/yaml/v3"
)

// notify gives the extension the effective configuration of a collector with one exporter, as the collector does.
func (b *bulk) notify(t *testing.T, cfg component.Config) error {
	t.Helper()
	effective := confmap.New()
	require.NoError(t, effective.Marshal(map[string]any{"exporters": map[component.ID]component.Config{
		component.MustNewIDWithName("opensearch", "x"): cfg,
		component.MustNewID("other"):                   map[string]any{"http": "text"},
	}}))
	snapshot := extensioncapabilities.NewConfigSnapshot(effective, confmap.New())
	return b.Extension.(extensioncapabilities.ConfigSnapshotWatcher).NotifyConfigSnapshot(t.Context(), snapshot)
}

func (b *bulk) queueWarnings() int { return b.logs.FilterMessageSnippet("no persistent queue").Len() }

func TestCheckOfTheExportersConfiguration(t *testing.T) {
	b := startBulk(t, newHost(t), nil)
	for name, tt := range map[string]struct {
		more map[string]any
		want []string
	}{
		"as shipped": {nil, nil},
		"gzip":       {map[string]any{"http": map[string]any{"compression": "gzip"}}, nil},
		"http timeout": {map[string]any{"http": map[string]any{"timeout": "30s"}}, []string{
			"exporter \"opensearch/x\" uses \"opensearch_bulk\": set `http::timeout: 0`, or it cuts off a blocked request",
		}},
		"several faults": {map[string]any{
			"timeout": "5s", "http": map[string]any{"compression": "snappy"},
			"logs_index": "a-%{dify.tenant_id}", "traces_index": "a-{user}", "logs_index_time_format": "yyyy.MM.dd",
		}, []string{
			"set `timeout: 0`",
			"`http::compression: snappy` is not supported: use `gzip`, `zstd` or `none`",
			"remove `logs_index_time_format`",
			"`logs_index` has `%{…}`",
			"`traces_index` has `{user}`, which is not in the extension's `index_keys`",
		}},
		"without the middleware": {
			map[string]any{"http": map[string]any{"timeout": "30s", "middlewares": []any{}}}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := b.notify(t, exporterConfig(t, "http://127.0.0.1:1", tt.more))
			if len(tt.want) == 0 {
				require.NoError(t, err)
			}
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
	assert.Zero(t, b.queueWarnings())
}

// An effective configuration has no `enabled` key of a queue: a section that is missing is a queue that is off.
func TestWarningAboutTheQueue(t *testing.T) {
	for name, tt := range map[string]struct {
		queue map[string]any
		want  int
	}{
		"in storage":                        {map[string]any{"storage": "file_storage"}, 0},
		"in storage and enabled explicitly": {map[string]any{"enabled": true, "storage": "file_storage"}, 0},
		"in memory":                         {map[string]any{"enabled": true}, 1},
		"off":                               {map[string]any{"enabled": false}, 1},
		"off, with a storage":               {map[string]any{"enabled": false, "storage": "file_storage"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBulk(t, newHost(t), nil)
			conf := confmap.NewFromStringMap(map[string]any{
				"http": map[string]any{
					"endpoint": "http://127.0.0.1:1", "timeout": 0,
					"middlewares": []any{map[string]any{"id": bulkID.String()}},
				},
				"timeout":       0,
				"sending_queue": tt.queue,
			})
			require.NoError(t, b.notify(t, load(t, conf)))
			assert.Equal(t, tt.want, b.queueWarnings())
		})
	}
}

// No shipped configuration may be warned about or rejected.
func TestShippedConfigurationsAreNotWarnedAbout(t *testing.T) {
	for _, name := range []string{"collector.yaml", "scale/writer.yaml"} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("..", "..", "..", "config", name))
			require.NoError(t, err)
			var parsed map[string]any
			require.NoError(t, yaml.Unmarshal(raw, &parsed))
			section, err := confmap.NewFromStringMap(parsed).Sub("exporters::opensearch")
			require.NoError(t, err)
			require.NotEmpty(t, section.AllKeys())

			b := startBulk(t, newHost(t), nil)
			require.NoError(t, b.notify(t, load(t, section)))
			assert.Zero(t, b.queueWarnings())
		})
	}
}
