// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var write = flag.Bool(
	"write",
	false,
	"write the files under config/opensearch/; the test fails, so that nobody mistakes it for a check",
)

// TestShippedFiles checks that the files for a setup by hand are what the extension writes.
func TestShippedFiles(t *testing.T) {
	objects, err := NDJSON(Objects(options()))
	require.NoError(t, err)
	files := map[string][]byte{
		"dashboards.ndjson":     objects,
		"retention-policy.json": indented(t, object{"policy": withDescription(retention(30, options()))}),
	}
	for _, template := range slices.Concat(Templates(options()), Templates(traceViewOptions())) {
		files[filepath.Join("index-templates", template.Name+".json")] = indented(t, template.content(nil))
	}
	for name, want := range files {
		path := filepath.Join("..", "..", "..", "..", "config", "opensearch", name)
		if *write {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
			require.NoError(t, os.WriteFile(path, want, 0o644)) //nolint:gosec // for everyone to read
			t.Errorf("%s is written", name)
			continue
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.True(
			t,
			bytes.Equal(want, got),
			"config/opensearch/%s is not what the extension writes: go test ./components/opensearchbulkextension/internal/setup -run TestShippedFiles -write",
			name,
		)
	}
}

func withDescription(policy object) object {
	policy["description"] = policyDescription
	return policy
}

func indented(t *testing.T, content object) []byte {
	t.Helper()
	text, err := json.MarshalIndent(content, "", "  ")
	require.NoError(t, err)
	return append(text, '\n')
}
