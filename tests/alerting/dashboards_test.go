// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// The committed dashboards are those that dashboards.py writes.
func TestDashboardsAreCurrent(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(
		t.Context(), pyenv.Program(t, "python"), repo.Path("config", "grafana", "dashboards.py"), dir,
	)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	made, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	committed, err := filepath.Glob(repo.Path("config", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.Len(t, committed, len(made))
	for _, path := range made {
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		got, err := os.ReadFile(repo.Path("config", "grafana", "dashboards", filepath.Base(path)))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "run make generate")
	}
}

const readDashboards = `
import json, sys
from grafana_foundation_sdk.models.dashboard import Dashboard
for path in sys.argv[1:]:
    board = Dashboard.from_json(json.load(open(path)))
    assert board.uid and board.panels and all(panel.targets for panel in board.panels), path
`

func TestDashboardsLoad(t *testing.T) {
	committed, err := filepath.Glob(repo.Path("config", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, committed)
	cmd := exec.CommandContext(
		t.Context(),
		pyenv.Program(t, "python"),
		append([]string{"-c", readDashboards}, committed...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
