// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scan

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// request is what pdata decodes.
type request interface {
	UnmarshalProto(data []byte) error
	UnmarshalJSON(data []byte) error
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

func newRequest(signal Signal) request {
	switch signal {
	case Traces:
		return ptraceotlp.NewExportRequest()
	case Metrics:
		return pmetricotlp.NewExportRequest()
	default:
		return plogotlp.NewExportRequest()
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// recording returns the recorded requests in the binary encoding; logs are not among them.
func recording(tb testing.TB, signal Signal) [][]byte {
	tb.Helper()
	name := map[Signal]string{Traces: "traces.jsonl.gz", Metrics: "metrics.jsonl.gz"}[signal]
	file, err := os.Open(filepath.Join("..", "..", "..", "..", "tests", "testdata", "recordings", name))
	require.NoError(tb, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	require.NoError(tb, err)
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 64<<20)
	var bodies [][]byte
	for lines.Scan() {
		req := newRequest(signal)
		require.NoError(tb, req.UnmarshalJSON(bytes.Clone(lines.Bytes())))
		body, err := req.MarshalProto()
		require.NoError(tb, err)
		bodies = append(bodies, body)
	}
	require.NoError(tb, lines.Err())
	require.NotEmpty(tb, bodies)
	return bodies
}
