// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scan

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkAdded decodes the recording with and without a scan before it, in turn, and reports what the scan adds in
// percent of decoding alone, in processor time.
func BenchmarkAdded(b *testing.B) {
	for _, bench := range []struct {
		name   string
		signal Signal
		scan   func(Signal, []byte, Limits) (Size, error)
		json   bool
	}{
		{"traces/coarse", Traces, Coarse, false},
		{"metrics/coarse", Metrics, Coarse, false},
		{"traces/protobuf", Traces, Protobuf, false},
		{"metrics/protobuf", Metrics, Protobuf, false},
		{"traces/json", Traces, JSON, true},
		{"metrics/json", Metrics, JSON, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			bodies := recording(b, bench.signal)
			decode := request.UnmarshalProto
			if bench.json {
				decode = request.UnmarshalJSON
				for i, body := range bodies {
					req := newRequest(bench.signal)
					require.NoError(b, req.UnmarshalProto(body))
					var err error
					bodies[i], err = req.MarshalJSON()
					require.NoError(b, err)
				}
			}
			buf := make([]byte, 1<<20)
			pass := func(scan bool) time.Duration {
				start := threadTime(b)
				for _, recorded := range bodies {
					body := buf[:copy(buf, recorded)] // as received: in the processor's cache
					if scan {
						if _, err := bench.scan(bench.signal, body, Unlimited(64)); err != nil {
							b.Fatal(err)
						}
					}
					if err := decode(newRequest(bench.signal), body); err != nil {
						b.Fatal(err)
					}
				}
				return threadTime(b) - start
			}
			var with, without time.Duration
			for b.Loop() {
				without += pass(false)
				with += pass(true)
			}
			b.ReportMetric(100*(with-without).Seconds()/without.Seconds(), "%added")
			b.ReportMetric(0, "ns/op")
		})
	}
}
