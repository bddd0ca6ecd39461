// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// Folders and files of config/ that are for other programs.
var notOurs = map[string]bool{
	"prometheus": true, "alertmanager": true, "grafana": true, "opensearch": true,
}

// Variables that the shipped files need: they have no default on purpose.
var requiredEnv = map[string]string{
	"OTLP_API_KEY": apiKey, "OTELCOL_KAFKA_USERNAME": "otelcol", "OTELCOL_KAFKA_PASSWORD": "secret",
}

// Files of config/scale that are merged over another one of them; those with a login or a key over each that supports
// it.
var over = map[string][][]string{
	"reader.yaml": {{"gateway.yaml"}},
	"drain.yaml":  {{"writer.yaml"}},
	"direct.yaml": {{"lines.yaml"}},
	"auth.yaml":   {{"gateway.yaml"}, {"gateway.yaml", "reader.yaml"}},
	"sasl.yaml": {
		{"gateway.yaml"},
		{"gateway.yaml", "reader.yaml"},
		{"gateway.yaml", "reader.yaml", "auth.yaml"},
		{"writer.yaml"},
		{"writer.yaml", "drain.yaml"},
		{"metrics.yaml"},
		{"lines.yaml"},
	},
}

// shippedConfigs returns what an operator may start with: each file in config/, overlays merged over their base
// files.
func shippedConfigs(t *testing.T) map[string][]string {
	t.Helper()
	root := repo.Path("config")
	configs := map[string][]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if notOurs[entry.Name()] {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		switch folder, file := filepath.Split(name); {
		case folder == "overlays"+string(filepath.Separator):
			configs[name] = []string{collector.ShippedConfig(), path}
		case folder == "scale"+string(filepath.Separator) && over[file] != nil:
			for _, below := range over[file] {
				var files []string
				for _, f := range below {
					files = append(files, filepath.Join(filepath.Dir(path), f))
				}
				configs[name+" over "+strings.Join(below, ", ")] = append(files, path)
			}
		case file == "writer.yaml":
			configs[name+" with tail sampling"] = []string{path, filepath.Join(root, "overlays", "tail-sampling.yaml")}
			configs[name] = []string{path}
		case name == "container-stats.yaml":
			configs[name] = []string{filepath.Join(root, "overlays", "containers.yaml"), path}
		default:
			configs[name] = []string{path}
		}
		return nil
	}))
	require.Contains(t, configs, "collector.yaml")
	require.Contains(t, configs, filepath.Join("scale", "writer.yaml"))
	return configs
}

func TestShippedConfigsAreValid(t *testing.T) {
	for name, files := range shippedConfigs(t) {
		t.Run(name, func(t *testing.T) {
			result := collector.Validate(t, requiredEnv, files...)
			assert.Zero(t, result.Code, result.Output)
		})
	}
}

// pipelines is the part of a configuration that the rules below check.
type pipelines struct {
	Processors map[string]any `yaml:"processors"`
	Exporters  map[string]struct {
		SendingQueue map[string]any `yaml:"sending_queue"`
	} `yaml:"exporters"`
	Service struct {
		Pipelines map[string]struct {
			Receivers  []string `yaml:"receivers"`
			Processors []string `yaml:"processors"`
			Exporters  []string `yaml:"exporters"`
		} `yaml:"pipelines"`
	} `yaml:"service"`
}

func TestShippedConfigsKeepTheRules(t *testing.T) {
	for name, files := range shippedConfigs(t) {
		t.Run(name, func(t *testing.T) {
			// Each file is checked separately: an overlay replaces whole lists, and leaves the others unchanged.
			text, err := os.ReadFile(files[len(files)-1])
			require.NoError(t, err)
			var config pipelines
			require.NoError(t, yaml.Unmarshal(text, &config))
			if len(files) == 1 {
				assert.NotEmpty(t, config.Service.Pipelines)
			}
			checkRules(t, config)
		})
	}
}

func checkRules(t *testing.T, config pipelines) {
	t.Helper()
	for id := range config.Processors {
		assert.NotEqual(t, "batch", componentType(id), "it acknowledges before delivery")
	}
	for id, exporter := range config.Exporters {
		if value, ok := exporter.SendingQueue["batch"]; ok {
			batch, _ := value.(map[string]any)
			assert.Containsf(t, batch, "sizer", "%s: the default counts items, and Dify's vary from 200 bytes to some MB", id)
			assert.Containsf(t, exporter.SendingQueue, "storage", "%s: batches in memory only are lost", id)
		}
	}
	for id, pipeline := range config.Service.Pipelines {
		if len(pipeline.Processors) == 0 && (len(pipeline.Exporters) == 0 || len(pipeline.Receivers) == 0) {
			continue // an overlay that changes only the receivers, or only the exporters
		}
		assert.NotEmptyf(t, pipeline.Processors, "pipeline %s", id)
		if n := len(pipeline.Processors); n > 0 {
			last := "dify_filter"
			if len(pipeline.Receivers) == 1 && componentType(pipeline.Receivers[0]) == "forward" {
				last = "tail_sampling" // behind the dify_filter of another pipeline
			}
			assert.Equalf(t, last, componentType(pipeline.Processors[n-1]),
				"pipeline %s: what reaches an exporter has passed it last", id)
		}
	}
}

func componentType(id string) string {
	kind, _, _ := strings.Cut(id, "/")
	return kind
}

func TestRulesFindViolations(t *testing.T) {
	var config pipelines
	require.NoError(t, yaml.Unmarshal([]byte(`
processors: {batch/x: {}}
exporters: {otlp: {sending_queue: {batch: {min_size: 5}}}}
service: {pipelines: {traces: {receivers: [otlp], processors: [dify_filter, transform], exporters: [otlp]}}}
`), &config))
	for _, broken := range []pipelines{
		{Processors: config.Processors}, {Exporters: config.Exporters}, {Service: config.Service},
	} {
		probe := &testing.T{}
		checkRules(probe, broken)
		assert.True(t, probe.Failed())
	}
}
