// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package pipelinecheck

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

const good = `
exporters:
  opensearch:
    http: {middlewares: [{id: opensearch_bulk}]}
    sending_queue: {storage: file_storage/queue}
  sentry:
connectors: {spanmetrics: {}}
service:
  pipelines:
    traces:
      processors: [memory_limiter, dify_filter, tail_sampling/keep]
      exporters: [opensearch, sentry, spanmetrics]
    logs/inner:
      exporters: [spanmetrics, debug]
`

func warnings(t *testing.T, files ...string) []string {
	t.Helper()
	all := confmap.New()
	for _, file := range files {
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(file))
		require.NoError(t, err)
		conf, err := retrieved.AsConf()
		require.NoError(t, err)
		require.NoError(t, all.Merge(conf))
	}
	got, err := Warnings(all)
	require.NoError(t, err)
	return got
}

func TestWarnings(t *testing.T) {
	for name, tt := range map[string]struct {
		overlay string
		want    []string
	}{
		"good": {"{}", nil},
		"no dify_filter": {
			"service: {pipelines: {traces: {processors: [memory_limiter]}}}",
			[]string{"`service::pipelines::traces::processors` has no dify_filter: content, personal data and secrets reach " +
				"opensearch, sentry unredacted, and Dify's processes, names and statuses are not repaired"},
		},
		"batch before it": {
			"service: {pipelines: {traces: {processors: [batch/2, dify_filter]}}}",
			[]string{"`service::pipelines::traces::processors` has batch/2, which accepts telemetry before it is delivered: " +
				"what it has is lost when the collector is killed, and a full queue refuses without a retry; use " +
				"`sending_queue::batch` of the exporter"},
		},
		"another processor after it": {
			"service: {pipelines: {traces: {processors: [dify_filter, transform/x]}}}",
			[]string{"`service::pipelines::traces::processors` has transform/x after dify_filter: what it adds or changes " +
				"reaches opensearch, sentry unredacted; put it before"},
		},
		"another processor between two": {
			"service: {pipelines: {traces: {processors: [dify_filter, transform/x, dify_filter/2]}}}", nil,
		},
		"behind a connector": {
			"connectors: {forward: {}}\nservice: {pipelines: {traces: {exporters: [forward]}, traces/2: {receivers: [forward], " +
				"processors: [tail_sampling], exporters: [sentry]}}}", nil,
		},
		"changed behind a connector": {
			"connectors: {forward: {}}\nservice: {pipelines: {traces: {exporters: [forward]}, traces/2: {receivers: [forward], " +
				"processors: [transform], exporters: [sentry]}}}",
			[]string{"`service::pipelines::traces/2::processors` has transform after dify_filter: what it adds or changes " +
				"reaches sentry unredacted; put it before"},
		},
		"no dify_filter before a connector": {
			"connectors: {forward: {}}\nservice: {pipelines: {traces: {processors: [], exporters: [forward]}, " +
				"traces/2: {receivers: [forward], processors: [], exporters: [sentry]}}}",
			[]string{"`service::pipelines::traces/2::processors` has no dify_filter: content, personal data and secrets reach " +
				"sentry unredacted, and Dify's processes, names and statuses are not repaired"},
		},
		"no middleware": {
			"exporters: {opensearch: {http: {middlewares: []}}}",
			[]string{"`exporters::opensearch::http::middlewares` does not name opensearch_bulk: documents are lost whenever " +
				"OpenSearch refuses or does not respond, and may exist twice"},
		},
		"a queue without storage, and another that is not used": {
			"exporters: {sentry: {sending_queue: {}}, opensearch/unused: {}}",
			[]string{"`exporters::sentry::sending_queue` has no `storage`: what waits there is lost when the collector stops"},
		},
		"a storage directory from an empty variable": {
			"extensions: {file_storage/queue: {directory: /queue}}",
			[]string{"`extensions::file_storage/queue::directory` is /queue, directly below the root: OTELCOL_STORAGE_DIR is " +
				"set to an empty value; remove the variable or set it to a folder"},
		},
		"a relative storage directory": {
			"extensions: {file_storage/queue: {directory: data/queue}}",
			[]string{"`extensions::file_storage/queue::directory` is the relative path \"data/queue\": started in another " +
				"folder, the collector does not find what it has stored; write an absolute path (OTELCOL_STORAGE_DIR)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, warnings(t, good, tt.overlay))
		})
	}
}

func TestShippedConfigurations(t *testing.T) {
	storage := regexp.MustCompile(`\$\{env:OTELCOL_STORAGE_DIR:-[^}]*\}`)
	read := func(names ...string) (files []string) {
		for _, name := range names {
			content, err := os.ReadFile(filepath.Join("..", "..", "..", "config", name))
			require.NoError(t, err)
			files = append(files, storage.ReplaceAllString(string(content), "/var/lib/otelcol-dify"))
		}
		return files
	}
	for _, names := range [][]string{
		{"collector.yaml"},
		{"demo.yaml"},
		{"scale/gateway.yaml"},
		{"scale/reader.yaml"},
		{"scale/metrics.yaml"},
		{"scale/writer.yaml"},
		{"collector.yaml", "overlays/logs.yaml"},
		{"collector.yaml", "overlays/host.yaml"},
		{"collector.yaml", "overlays/containers.yaml"},
		{"collector.yaml", "overlays/fluent.yaml"},
	} {
		assert.Empty(t, warnings(t, read(names...)...), "%v", names)
	}
}
