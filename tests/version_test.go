// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// TestOneVersionNumber compares the version in builder-config.yaml with that of the binary and of every file that
// names it.
func TestOneVersionNumber(t *testing.T) {
	find := func(t *testing.T, file, pattern string) []string {
		text, err := os.ReadFile(repo.Path(file))
		require.NoError(t, err)
		var found []string
		for _, match := range regexp.MustCompile(`(?m)`+pattern).FindAllSubmatch(text, -1) {
			found = append(found, string(match[1]))
		}
		require.NotEmptyf(t, found, "%s: no %s", file, pattern)
		return found
	}
	versions := find(t, "builder-config.yaml", `^  version: (\S+)`)
	require.Len(t, versions, 1)
	version := versions[0]

	out, err := exec.CommandContext(t.Context(), repo.Path("bin", "otelcol-dify"), "--version").Output()
	require.NoError(t, err)
	assert.Regexp(t, `^otelcol-dify version `+regexp.QuoteMeta(version)+`(\+\S+)?\s*$`, string(out))

	const tag = `otelcol-dify:(\d+\.\d+\.[^\s:]*)`
	for file, pattern := range map[string]string{
		"distro/main.go":                 `Version:\s*"([^"]*)"`,
		"build.Dockerfile":               `^ARG VERSION=(\S+)`,
		"docker-compose.yaml":            `OTELCOL_VERSION:-([^}]*)}`,
		"docs/configuration.md":          "`OTELCOL_VERSION` \\| `([^`]*)`",
		"docs/getting-started.md":        tag,
		"charts/otelcol-dify/Chart.yaml": `^(?:appV|v)ersion: (\S+)`,
	} {
		for _, found := range find(t, file, pattern) {
			assert.Equal(t, version, found, file)
		}
	}
}
