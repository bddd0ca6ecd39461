// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// Result is the result of a command of the binary.
type Result struct {
	Code   int
	Output string // both streams
}

// Run runs a command of the binary, such as validate, to its end.
func Run(tb testing.TB, env map[string]string, args ...string) Result {
	tb.Helper()
	return run(tb, Binary(tb), env, args)
}

// Difyctl runs a command of the companion binary to its end.
func Difyctl(tb testing.TB, env map[string]string, args ...string) Result {
	tb.Helper()
	path := repo.Path("bin", "difyctl")
	require.FileExists(tb, path, "no binary to test: run make build")
	return run(tb, path, env, args)
}

func run(tb testing.TB, path string, env map[string]string, args []string) Result {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = environment(env)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoErrorf(tb, err, "%s %v", path, args)
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Output: out.String()}
}

// Validate runs the validate command on configurations that are merged in order.
func Validate(tb testing.TB, env map[string]string, configs ...string) Result {
	tb.Helper()
	return Run(tb, env, append([]string{"validate"}, configArgs(configs)...)...)
}

// Doctor runs `difyctl doctor` with the collector's configurations and environment, changed by env, which may be nil.
func (c *Collector) Doctor(tb testing.TB, env map[string]string, args ...string) Result {
	tb.Helper()
	all := map[string]string{}
	for _, pair := range c.spec.Env {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	maps.Copy(all, env)
	return Difyctl(tb, all, append(append([]string{"doctor"}, c.spec.Args...), args...)...)
}
