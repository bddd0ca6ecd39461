// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package recordings reads what a real Dify emitted. The README in tests/testdata/recordings describes it.
package recordings

import (
	"bufio"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// Files in the folder. The first two have an OTLP export request as JSON on each line.
const (
	Traces  = "traces.jsonl.gz"
	Metrics = "metrics.jsonl.gz"
	Rows    = "rows.sql.gz"

	// Of a Dify at its work.
	WorkTraces = "work-traces.jsonl.gz"
	WorkRows   = "work-rows.sql.gz"
)

// Lines returns a recording's lines.
func Lines(tb testing.TB, name string) []string {
	tb.Helper()
	file, err := os.Open(Unzipped(tb, name))
	require.NoError(tb, err)
	defer file.Close()
	var lines []string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	require.NoError(tb, scanner.Err())
	return lines
}

// Unzipped returns the path of a recording's content, which exists until the end of the test.
func Unzipped(tb testing.TB, name string) string {
	tb.Helper()
	packed, err := os.Open(repo.Path("tests", "testdata", "recordings", name))
	require.NoError(tb, err)
	defer packed.Close()
	reader, err := gzip.NewReader(packed)
	require.NoError(tb, err)
	path := filepath.Join(tb.TempDir(), strings.TrimSuffix(name, ".gz"))
	file, err := os.Create(path)
	require.NoError(tb, err)
	defer file.Close()
	_, err = io.Copy(file, reader) //nolint:gosec // our own file
	require.NoError(tb, err)
	return path
}
