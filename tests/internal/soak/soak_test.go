// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const script = "../../soak.sh"

// Each package of tests/ that has tests is in exactly one suite of make soak.
func TestEachPackageIsInOneSuite(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), script, "--list").Output()
	require.NoError(t, err)
	list := func(patterns ...string) []string {
		args := []string{"list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"}
		cmd := exec.CommandContext(t.Context(), "go", append(args, patterns...)...)
		cmd.Dir = "../.."
		listed, err := cmd.Output()
		require.NoError(t, err)
		return strings.Fields(string(listed))
	}
	var inSuites []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if fields[0] == "fuzz" {
			continue // of the components
		}
		require.Greater(t, len(fields), 1, line)
		inSuites = append(inSuites, list(fields[1:]...)...)
	}
	assert.ElementsMatch(t, list("./..."), inSuites)
}

func TestUnknownSuite(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), script, "--check", "workflow").CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, `unknown suite "workflow": SUITE is one of stack workflowlog opensearch sentry scale difyfilter `+
		"alerting compose upgrade hostile fuzz\n", string(out))
	for _, args := range [][]string{{"--check"}, {"--check", ""}, {"--check", "scale"}} {
		out, err := exec.CommandContext(t.Context(), script, args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// A suite runs with its packages and a seed, and the seed and the result are printed. A failed suite does not keep the
// others from running.
func TestSuitesRun(t *testing.T) {
	bin := t.TempDir()
	program := "#!/bin/sh\necho \"$OTELCOL_TEST_SOAK $OTELCOL_TEST_SEED $*\"\ncase $* in *sentry*) exit 1;; esac\n"
	for _, name := range []string{"gotestsum", "go"} { // go runs the fuzz tests
		path := filepath.Join(bin, name)
		require.NoError(t, os.WriteFile(path, []byte(program), 0o700)) //nolint:gosec // it is run
	}
	run := func(env string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), script, args...)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), env)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("OTELCOL_TEST_SEED=7", "opensearch")
	require.NoError(t, err, out)
	assert.Contains(t, out, "1 7 --format testname -- -count 1 -timeout 100m ./opensearchbulk/...\n")
	assert.Regexp(t, `(?m)^soak: opensearch +ok +0 min  OTELCOL_TEST_SEED=7$`, out)

	out, err = run("OTELCOL_TEST_SEED=")
	require.Error(t, err)
	assert.Regexp(t, `(?m)^soak: sentry +FAILED +0 min  OTELCOL_TEST_SEED=\d+$`, out)
	assert.Regexp(t, `(?m)^soak: upgrade +ok +0 min  OTELCOL_TEST_SEED=\d+$`, out)
	assert.Contains(t, out,
		"-C .. test ./components/otlpguardextension/internal/scan -run ^$ -fuzz ^FuzzJSON$ -fuzztime 6m\n")
	assert.Regexp(t, `(?m)^soak: fuzz +FAILED`, out, "one of them fails")
}
