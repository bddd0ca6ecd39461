// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"golang.org/x/sys/unix"
)

// BenchmarkAdded reads and decodes the recording with and without the guard before it, in turn, and reports what the
// guard adds in percent of reading and decoding alone, in processor time. `loaded` has half of the memory reserved, so
// that all items are looked into.
func BenchmarkAdded(b *testing.B) {
	for _, signal := range []string{"traces", "metrics"} {
		for _, load := range []string{"idle", "loaded"} {
			b.Run(signal+"/"+load, func(b *testing.B) { benchmarkAdded(b, signal, load == "loaded") })
		}
	}
}

func benchmarkAdded(b *testing.B, signal string, loaded bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g := newGuardRig(b, nil).guard
	if loaded {
		require.True(b, g.memory.NewReservation().Grow(int64(g.cfg.MaxTotalMemoryMiB)*mib/2))
	}
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := decode(signal, r); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	wrap, err := g.GetHTTPHandler(b.Context())
	require.NoError(b, err)
	guarded, err := wrap(b.Context(), plain)
	require.NoError(b, err)
	bodies := recording(b, signal)
	pass := func(handler http.Handler) time.Duration {
		var used time.Duration
		for _, body := range bodies {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/"+signal, bytes.NewReader(body))
			r.Header.Set("Content-Type", contentTypeProtobuf)
			start := threadTime(b)
			handler.ServeHTTP(w, r)
			used += threadTime(b) - start
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
		}
		return used
	}
	var with, without time.Duration
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			without += pass(plain)
			with += pass(guarded)
		} else {
			with += pass(guarded)
			without += pass(plain)
		}
	}
	b.ReportMetric(100*(with-without).Seconds()/without.Seconds(), "%added")
	b.ReportMetric(0, "ns/op")
}

// threadTime returns the processor time of this thread: what other processes do at the same time does not count.
func threadTime(tb testing.TB) time.Duration {
	tb.Helper()
	var now unix.Timespec
	require.NoError(tb, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now))
	return time.Duration(now.Nano())
}

// decode reads and decodes a body as the receiver does.
func decode(signal string, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if signal == "traces" {
		return ptraceotlp.NewExportRequest().UnmarshalProto(body)
	}
	return pmetricotlp.NewExportRequest().UnmarshalProto(body)
}

// recording returns the recorded requests in the binary encoding.
func recording(tb testing.TB, signal string) [][]byte {
	tb.Helper()
	file, err := os.Open(filepath.Join("..", "..", "tests", "testdata", "recordings", signal+".jsonl.gz"))
	require.NoError(tb, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	require.NoError(tb, err)
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 64*mib)
	var bodies [][]byte
	for lines.Scan() {
		var body []byte
		if signal == "traces" {
			req := ptraceotlp.NewExportRequest()
			require.NoError(tb, req.UnmarshalJSON(lines.Bytes()))
			body, err = req.MarshalProto()
		} else {
			req := pmetricotlp.NewExportRequest()
			require.NoError(tb, req.UnmarshalJSON(lines.Bytes()))
			body, err = req.MarshalProto()
		}
		require.NoError(tb, err)
		bodies = append(bodies, body)
	}
	require.NoError(tb, lines.Err())
	return bodies
}
