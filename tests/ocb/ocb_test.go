// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package ocb tests that the components can be used in another ocb build.
package ocb

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestComponentsInAnotherBuild(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	run := func(name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = root
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0") // as the binary is built
		out, err := cmd.CombinedOutput()
		require.NoErrorf(t, err, "%s %v:\n%s", name, args, out)
		return string(out)
	}
	run(filepath.Join(root, ".tools", "builder"), "--config", "tests/ocb/builder-config.yaml")
	listed := run(filepath.Join(root, ".cache", "ocb", "my-collector"), "components")
	for _, name := range []string{"workflow_log", "celery_queue", "dify_filter", "sentry", "opensearch_bulk"} {
		assert.Contains(t, listed, "name: "+name)
	}
}
