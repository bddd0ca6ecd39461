// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWithEnv checks that the demo's traffic can't reach an operator's own back ends.
func TestWithEnv(t *testing.T) {
	t.Setenv("OTELCOL_SENTRY_DSN", "https://key@sentry.example/1")
	t.Setenv("OTELCOL_OTHER", "x")
	t.Setenv("DB_HOST", "production")
	t.Setenv("HTTP_PROXY", "http://proxy.example")
	env := strings.Join(withEnv(map[string]string{"DB_HOST": "127.0.0.1", "OTELCOL_SENTRY_DSN": "local"}), "\n") + "\n"
	assert.NotContains(t, env, "sentry.example")
	assert.NotContains(t, env, "OTELCOL_OTHER")
	assert.NotContains(t, env, "production")
	assert.Contains(t, env, "DB_HOST=127.0.0.1\n")
	assert.Contains(t, env, "OTELCOL_SENTRY_DSN=local\n")
	assert.Contains(t, env, "HTTP_PROXY=http://proxy.example\n")
}

func TestLogTail(t *testing.T) {
	c := &collector{logFile: filepath.Join(t.TempDir(), "log")}
	assert.Empty(t, c.logTail())
	require.NoError(t, os.WriteFile(c.logFile, []byte(strings.Repeat("line\n", 100)+"end\n"), 0o600))
	tail := strings.Split(c.logTail(), "\n")
	assert.Len(t, tail, tailLines)
	assert.Equal(t, "end", tail[len(tail)-1])
	crash := "before\npanic: oh\n" + strings.Repeat("goroutine\n", 1000)
	require.NoError(t, os.WriteFile(c.logFile, []byte(crash), 0o600))
	assert.True(t, strings.HasPrefix(c.logTail(), "panic: oh\n"))
	assert.Len(t, c.logTail(), crashBytes)
}

func TestFreeAddressesDiffer(t *testing.T) {
	addr, err := freeAddresses(t.Context(), 5)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, a := range addr {
		seen[a] = true
	}
	assert.Len(t, seen, 5)
}
