// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package pyenv runs the tests' Python programs in the environment that tests/setup.sh creates.
package pyenv

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// Program returns the path of a program of the environment.
func Program(tb testing.TB, name string) string {
	tb.Helper()
	path := repo.Path(".cache", "python", "bin", name)
	_, err := os.Stat(path)
	require.NoErrorf(tb, err, "no Python environment with %s: run tests/setup.sh", name)
	return path
}

// Normalise passes events and transactions of Sentry's protocol to Sentry's own normalizer, and fails the test with
// its errors.
func Normalise(tb testing.TB, payloads ...string) {
	tb.Helper()
	require.NotEmpty(tb, payloads, "nothing to normalize")
	var in bytes.Buffer
	for _, payload := range payloads {
		require.NoError(tb, json.NewEncoder(&in).Encode(map[string]string{"event": payload}))
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1"}
	out, err := run(tb, env, &in, "sentry_judge.py")
	require.NoErrorf(tb, err, "Sentry's normalizer:\n%s", out)
	results := strings.TrimRight(out, "\n")
	require.Equal(tb, strings.Repeat("[]\n", len(payloads)-1)+"[]", results, "Sentry's normalizer reports errors")
}

func run(tb testing.TB, env []string, stdin io.Reader, script string, args ...string) (string, error) {
	tb.Helper()
	args = append([]string{repo.Path("tests", "python", script)}, args...)
	cmd := exec.CommandContext(tb.Context(), Program(tb, "python"), args...)
	cmd.Env = env
	cmd.Stdin = stdin
	out, err := cmd.CombinedOutput()
	return string(out), err
}
