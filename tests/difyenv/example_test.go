// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyenv

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// example is config/dify.env.example as an operator reads it: the lines for everyone, and the optional lines after a
// #.
type example struct {
	lines, choices map[string]string
	unexplained    []string // lines without a comment above them
}

func readExample(t *testing.T) example {
	t.Helper()
	e := example{lines: map[string]string{}, choices: map[string]string{}}
	explained := false
	for line := range strings.Lines(readFile(t, repo.Path("config", "dify.env.example"))) {
		line = strings.TrimSuffix(line, "\n")
		choice, isChoice := strings.CutPrefix(line, "#")
		name, value, isLine := strings.Cut(choice, "=")
		if !isLine || !isName(name) {
			explained = line != ""
			require.Truef(t, line == "" || strings.HasPrefix(line+" ", "# "), "neither a comment nor a variable: %q", line)
			continue
		}
		if !explained {
			e.unexplained = append(e.unexplained, name)
		}
		e.add(t, name, value, isChoice)
	}
	return e
}

func (e *example) add(t *testing.T, name, value string, isChoice bool) {
	t.Helper()
	into := e.lines
	if isChoice {
		into = e.choices
	}
	require.NotContainsf(t, into, name, "%s stands there twice", name)
	into[name] = value
}

// environment returns the variables of Dify's containers: all lines, the chosen optional ones, and the key for every
// sender.
func (e *example) environment(t *testing.T, key string, choices ...string) map[string]string {
	t.Helper()
	env := maps.Clone(e.lines)
	for _, name := range choices {
		require.Contains(t, e.choices, name)
		env[name] = e.choices[name]
	}
	for _, name := range []string{"OTLP_API_KEY", "OTEL_API_KEY"} {
		require.Contains(t, e.choices, name)
		env[name] = key
	}
	return env
}

func isName(text string) bool {
	return text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

func TestExampleExplainsEachLine(t *testing.T) {
	e := readExample(t)
	assert.Empty(t, e.unexplained)
	assert.Subset(t, slices.Concat(slices.Collect(maps.Keys(e.lines)), slices.Collect(maps.Keys(e.choices))), []string{
		"ENABLE_OTEL", "OTLP_BASE_ENDPOINT", "OTLP_TRACE_ENDPOINT", "OTLP_METRIC_ENDPOINT", "OTLP_API_KEY", "OTEL_API_KEY",
		"OTEL_EXPORTER_TYPE", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_SAMPLING_RATE", "OTEL_BATCH_EXPORT_SCHEDULE_DELAY",
		"OTEL_BATCH_EXPORT_TIMEOUT", "OTEL_MAX_QUEUE_SIZE", "OTEL_MAX_EXPORT_BATCH_SIZE", "OTEL_METRIC_EXPORT_INTERVAL",
		"OTEL_METRIC_EXPORT_TIMEOUT", "OTELCOL_SENTRY_DSN", "API_SENTRY_DSN", "API_SENTRY_TRACES_SAMPLE_RATE",
		"API_SENTRY_PROFILES_SAMPLE_RATE", "WEB_SENTRY_DSN",
	})
}

// The file is appended to an existing .env: it must not empty a variable there, nor be joined with its last line.
func TestExampleCanBeAppended(t *testing.T) {
	for name, value := range readExample(t).lines {
		assert.NotEmpty(t, value, name)
	}
	text := readFile(t, repo.Path("config", "dify.env.example"))
	assert.True(t, strings.HasPrefix(text, "\n"), "an .env without a line break at its end")
	assert.True(t, strings.HasSuffix(text, "\n"))
}

// Compose must parse the file as these tests do.
func TestExampleIsReadByComposeAlike(t *testing.T) {
	read, err := dotenv.Read(repo.Path("config", "dify.env.example"))
	require.NoError(t, err)
	assert.Equal(t, readExample(t).lines, read)
}
