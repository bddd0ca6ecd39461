// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package throughput

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// TracesOnly is a file of config/ without its other pipelines and without the setup of OpenSearch, which is not part
// of the work.
func TracesOnly(b *testing.B, name string) string {
	b.Helper()
	text, err := os.ReadFile(repo.Path("config", name))
	require.NoError(b, err)
	config := map[string]any{}
	require.NoError(b, yaml.Unmarshal(text, &config))
	service := config["service"].(map[string]any)
	service["pipelines"] = map[string]any{"traces": service["pipelines"].(map[string]any)["traces"]}
	if bulk, ok := config["extensions"].(map[string]any)["opensearch_bulk"].(map[string]any); ok {
		delete(bulk, "setup")
	}
	text, err = yaml.Marshal(config)
	require.NoError(b, err)
	path := filepath.Join(b.TempDir(), "config.yaml")
	require.NoError(b, os.WriteFile(path, text, 0o600))
	return path
}
