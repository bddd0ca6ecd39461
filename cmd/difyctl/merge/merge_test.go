// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package merge

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const base = `
receivers:
  otlp: {protocols: {grpc: {endpoint: "${env:ENDPOINT:-0.0.0.0:4317}"}}} # kept
  workflow_log: {poll_interval: 1s}
exporters: {opensearch: {timeout: 0}, sentry: {}}
service:
  extensions: [health_check, opensearch_bulk]
  pipelines:
    traces: {receivers: [otlp], processors: [memory_limiter, dify_filter], exporters: [opensearch, sentry]}
    logs: {receivers: [workflow_log], processors: [memory_limiter, dify_filter], exporters: [opensearch, sentry]}
`

func merged(t *testing.T, texts ...string) (string, error) {
	t.Helper()
	files := []File{{Name: "base.yaml", Text: []byte(base)}}
	for _, text := range texts {
		files = append(files, File{Name: "overlay.yaml", Text: []byte(text)})
	}
	out, err := Files(files)
	return string(out), err
}

func TestFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		overlays []string
		path     []string
		want     any
	}{
		"values": {
			[]string{"receivers: {workflow_log: {poll_interval: 5s, max_apps: 7}}"},
			[]string{"receivers", "workflow_log"},
			map[string]any{"poll_interval": "5s", "max_apps": 7},
		},
		"a section that says nothing": {
			[]string{"receivers: {workflow_log: }"},
			[]string{"receivers", "workflow_log"},
			map[string]any{"poll_interval": "1s"},
		},
		"extensions of two overlays": {
			[]string{"service: {extensions: [health_check, a]}", "service: {extensions: [health_check, b]}"},
			[]string{"service", "extensions"},
			[]any{"health_check", "opensearch_bulk", "a", "b"},
		},
		"a processor between two": {
			[]string{"service: {pipelines: {traces: {processors: [memory_limiter, transform/x, dify_filter]}}}"},
			[]string{"service", "pipelines", "traces", "processors"},
			[]any{"memory_limiter", "transform/x", "dify_filter"},
		},
		"a processor without neighbors": {
			[]string{"service: {pipelines: {traces: {processors: [transform/x]}}}"},
			[]string{"service", "pipelines", "traces", "processors"},
			[]any{"memory_limiter", "transform/x", "dify_filter"},
		},
		"a processor after dify_filter, and another before it": {
			[]string{
				"service: {pipelines: {traces: {processors: [dify_filter, tail_sampling]}}}",
				"service: {pipelines: {traces: {processors: [transform/x, dify_filter]}}}",
			},
			[]string{"service", "pipelines", "traces", "processors"},
			[]any{"memory_limiter", "transform/x", "dify_filter", "tail_sampling"},
		},
		"an override, and another overlay before it": {
			[]string{
				"service: {pipelines: {logs: {exporters: [kafka]}}}",
				"service: {pipelines: {logs: {exporters: !override [sentry]}}}",
			},
			[]string{"service", "pipelines", "logs", "exporters"},
			[]any{"sentry", "kafka"},
		},
		"a removed exporter": {
			[]string{"remove: [exporters::opensearch]"},
			[]string{"service", "pipelines", "logs", "exporters"},
			[]any{"sentry"},
		},
		"a removed receiver takes its pipeline along": {
			[]string{"remove: [receivers::otlp]"}, []string{"service", "pipelines", "traces"}, nil,
		},
		"a removed pipeline": {
			[]string{"remove: [service::pipelines::traces]"}, []string{"service", "pipelines", "traces"}, nil,
		},
		"a name that is removed from one list": {
			[]string{"remove: [service::pipelines::logs::exporters::opensearch]"},
			[]string{"service", "pipelines", "traces", "exporters"},
			[]any{"opensearch", "sentry"},
		},
		"a removed extension": {
			[]string{"extensions: {opensearch_bulk: {}}", "remove: [extensions::opensearch_bulk]"},
			[]string{"service", "extensions"},
			[]any{"health_check"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := merged(t, tt.overlays...)
			require.NoError(t, err)
			var got any
			require.NoError(t, yaml.Unmarshal([]byte(out), &got))
			for _, key := range tt.path {
				got = got.(map[string]any)[key]
			}
			assert.Equal(t, tt.want, got, out)
		})
	}
}

func TestCommentsAndVariablesStay(t *testing.T) {
	out, err := merged(t, "service: {}")
	require.NoError(t, err)
	assert.Contains(t, out, "${env:ENDPOINT:-0.0.0.0:4317}")
	assert.Contains(t, out, "# kept")
	assert.Contains(t, out, "# Written by `difyctl config base.yaml overlay.yaml`")
}

func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct{ overlay, want string }{
		"YAML":            {"a: [", "overlay.yaml: yaml: "},
		"a list":          {"[a]", "overlay.yaml:1: must have sections such as `receivers` and `service`"},
		"a section":       {"\ninputs: {}", "overlay.yaml:2: \"inputs\" is not a section: must be one of receivers, "},
		"names":           {"service: {extensions: [{a: b}]}", "overlay.yaml:1: `service::extensions` must be a list of names"},
		"nothing there":   {"remove: [exporters::x]", "overlay.yaml:1: there is no `exporters::x` to remove"},
		"no parent there": {"remove: [x::y::z]", "overlay.yaml:1: there is no `x::y::z` to remove"},
		"removes no list": {"remove: all", "overlay.yaml:1: `remove` must be a list of paths such as `exporters::sentry`"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := merged(t, tt.overlay)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := Files(nil)
	require.Error(t, err)
}
