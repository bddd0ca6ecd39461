// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var defaultValue = regexp.MustCompile(`(\$\{env:\w+):-[^}]*\}`)

// flatten returns a configuration's values by path, without the defaults of variables.
func flatten(path string, node any, into map[string]string) {
	switch n := node.(type) {
	case map[string]any:
		for key, child := range n {
			flatten(path+"/"+key, child, into)
		}
	case []any:
		for i, child := range n {
			flatten(fmt.Sprintf("%s/%d", path, i), child, into)
		}
	default:
		into[path] = defaultValue.ReplaceAllString(fmt.Sprint(n), "$1}")
	}
}

func load(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(file))
	require.NoError(t, err)
	var root any
	require.NoError(t, yaml.Unmarshal(text, &root))
	flat := map[string]string{}
	flatten("", root, flat)
	return flat
}

// TestDemoIsTheShippedConfiguration compares config/demo.yaml with config/collector.yaml: the demo must show what an
// operator gets.
func TestDemoIsTheShippedConfiguration(t *testing.T) {
	shipped, demo := load(t, "../../config/collector.yaml"), load(t, "../../config/demo.yaml")
	for path, value := range map[string]string{
		"/receivers/workflow_log/start_at":            "beginning",
		"/receivers/workflow_log/poll_interval":       "500ms",
		"/receivers/workflow_log/metrics_interval":    "1s",
		"/receivers/celery_queue/collection_interval": "1s",
		"/exporters/sentry/run_window":                "5s",
	} {
		assert.Equal(t, value, demo[path], path)
		shipped[path] = value
	}
	assert.Equal(t, shipped, demo)
}
