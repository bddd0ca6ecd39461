// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"bufio"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// recordedTexts returns the stack traces and the statements of the recordings of a real Dify.
func recordedTexts(tb testing.TB) (traces, statements []string) {
	tb.Helper()
	files, err := filepath.Glob("../../testdata/recordings/*traces*.gz")
	require.NoError(tb, err)
	require.NotEmpty(tb, files)
	for _, name := range files {
		file, err := os.Open(name)
		require.NoError(tb, err)
		text, err := gzip.NewReader(file)
		require.NoError(tb, err)
		lines := bufio.NewReader(text)
		for line, err := lines.ReadBytes('\n'); err == nil; line, err = lines.ReadBytes('\n') {
			td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
			require.NoError(tb, err)
			eachAttribute(td, func(key string, v pcommon.Value) {
				switch key {
				case "exception.stacktrace":
					traces = append(traces, v.Str())
				case "db.statement":
					statements = append(statements, v.Str())
				}
			})
		}
		require.NoError(tb, file.Close())
	}
	return traces, statements
}

func eachAttribute(td ptrace.Traces, do func(string, pcommon.Value)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				for key, v := range span.Attributes().All() {
					do(key, v)
				}
				for _, event := range span.Events().All() {
					for key, v := range event.Attributes().All() {
						do(key, v)
					}
				}
			}
		}
	}
}

// BenchmarkRecordedTexts measures the cost of a byte of stack traces and of statements, without caches.
func BenchmarkRecordedTexts(b *testing.B) {
	traces, statements := recordedTexts(b)
	b.Run("stack_traces", func(b *testing.B) {
		b.SetBytes(int64(len(strings.Join(traces, ""))))
		for b.Loop() {
			for _, text := range traces {
				everything.scrub(text, viewText)
			}
		}
	})
	b.Run("statements", func(b *testing.B) {
		b.SetBytes(int64(len(strings.Join(statements, ""))))
		for b.Loop() {
			for _, text := range statements {
				bare, _ := withoutLiterals(text, "postgresql")
				everything.scrub(bare, viewKept)
			}
		}
	})
}
