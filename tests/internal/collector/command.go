// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Result is the result of a command of the binary.
type Result struct {
	Code   int
	Output string // both streams
}

// Run runs a command of the binary, such as validate, to its end.
func Run(tb testing.TB, env map[string]string, args ...string) Result {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(tb), args...)
	cmd.Env = environment(env)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoErrorf(tb, err, "otelcol-dify %v", args)
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Output: out.String()}
}

// Validate runs the validate command on configurations that are merged in order.
func Validate(tb testing.TB, env map[string]string, configs ...string) Result {
	tb.Helper()
	return Run(tb, env, append([]string{"validate"}, configArgs(configs)...)...)
}
