// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// TestSentryAcceptsEveryStackTrace sends each text that the stacktrace package is tested with: the relay and Sentry's
// normalizer accept the events as they are.
func TestSentryAcceptsEveryStackTrace(t *testing.T) {
	texts := stackTraces(t)
	require.Greater(t, len(texts), 300)
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.IgnoreErrors = nil }, nil)
	p := newPush(time.Now())
	spans := p.resource()
	for i, text := range texts {
		s := p.span(spans, uint64(i+1), uint64(i+1), 0, "work", ptrace.SpanKindInternal)
		e := s.Events().AppendEmpty()
		e.SetName("exception")
		putAll(e.Attributes(), "exception.stacktrace", text)
	}
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	r.requireAccepted(t, "event", len(texts))
	r.requireNoFaults(t)
	platforms := map[any]bool{}
	for _, ev := range r.payloads(t, "event") {
		platforms[ev["platform"]] = true
	}
	assert.Equal(t, map[any]bool{"python": true, "javascript": true, "go": true, "java": true}, platforms)
}

func stackTraces(t *testing.T) []string {
	t.Helper()
	testdata := filepath.Join("internal", "stacktrace", "testdata")
	var out []string
	for _, corpus := range matches(t, filepath.Join(testdata, "corpus", "*.txt")) {
		for _, part := range strings.Split("\n"+corpus, "\n=== ")[1:] {
			_, text, _ := strings.Cut(part, "\n")
			text, _, _ = strings.Cut(text, "\n--- read as\n")
			out = append(out, text)
		}
	}
	for _, lines := range matches(t, filepath.Join(testdata, "oracle", "*.jsonl")) {
		for line := range strings.Lines(lines) {
			var c struct{ Text string }
			require.NoError(t, json.Unmarshal([]byte(line), &c))
			out = append(out, c.Text)
		}
	}
	return out
}

// matches are the contents of the files of a pattern.
func matches(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	require.NoError(t, err)
	var out []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		out = append(out, string(text))
	}
	return out
}
