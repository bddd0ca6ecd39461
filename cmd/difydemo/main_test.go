// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-dify/otelcol-dify/testkit/postgres"
)

func TestMain(m *testing.M) {
	postgres.Keep()
	// Connections kept by the default client.
	goleak.VerifyTestMain(
		m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
	)
}

func TestParse(t *testing.T) {
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, &options{
		collector: "bin/otelcol-dify", config: "config/demo.yaml", settle: time.Minute, rate: 8, seed: 1,
	}, o)
	o, err = parse([]string{"--duration", "20s", "--rate=2.5"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 20*time.Second, o.duration)

	for _, args := range [][]string{
		{"now"}, {"-rate", "0"}, {"-rate", "1000"}, {"-duration", "-1s"}, {"-outage", "-1s"}, {"-settle", "0"}, {"-nope"},
	} {
		_, err := parse(args, io.Discard)
		assert.Error(t, err, args)
	}
}

// TestMissingCollector checks that nothing is left behind if the start fails halfway.
func TestMissingCollector(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Dir(dir)} {
		require.NoError(t, os.Chmod(path, 0o755)) //nolint:gosec // PostgreSQL's user needs access
	}
	t.Setenv("TMPDIR", dir)
	o, err := parse([]string{"-collector", "./absent"}, io.Discard)
	require.NoError(t, err)
	require.ErrorContains(t, demonstrate(t.Context(), o, nil), "make build")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}
