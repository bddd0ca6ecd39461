// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scan

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// threadTime returns the processor time of this thread: what other processes do at the same time does not count.
func threadTime(tb testing.TB) time.Duration {
	tb.Helper()
	var now unix.Timespec
	require.NoError(tb, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now))
	return time.Duration(now.Nano())
}

// TestHostileIsLinear scans what is small, and then 16 times as much of it: if the time were quadratic, it would grow
// 256-fold.
func TestHostileIsLinear(t *testing.T) {
	for name, build := range map[string]func(n int) (body []byte, json bool){
		"lists nested": func(n int) ([]byte, bool) { return inSpan(nested(n, false)), false },
		"maps nested":  func(n int) ([]byte, bool) { return inSpan(nested(n/2, true)), false },
		"empty spans":  func(n int) ([]byte, bool) { return inScopeSpans(bytes.Repeat([]byte{0x12, 0}, n)), false },
		"packed numbers": func(n int) ([]byte, bool) {
			buckets := wrap(8, wrap(2, make([]byte, n)))
			return wrap(1, wrap(2, wrap(2, wrap(10, wrap(1, buckets))))), false
		},
		"empty attributes": func(n int) ([]byte, bool) {
			return inSpan(bytes.Repeat([]byte{0x4a, 0}, n)), false
		},
		"unknown fields": func(n int) ([]byte, bool) {
			return inSpan(bytes.Repeat([]byte{0xa0, 0x06, 0}, n)), false
		},
		"numbers":            func(n int) ([]byte, bool) { return inSpan(bytes.Repeat([]byte{0x50, 0xff, 1}, n)), false },
		"lists nested, json": func(n int) ([]byte, bool) { return nestedJSON(n/10, false), true },
		"unknown nested, json": func(n int) ([]byte, bool) {
			return []byte(`{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`), true
		},
		"unclosed arrays, json": func(n int) ([]byte, bool) {
			return []byte(`{"a":` + strings.Repeat("[", n)), true
		},
		"escapes, json": func(n int) ([]byte, bool) {
			return []byte(`{"a":"` + strings.Repeat(`\"`, n) + `"}`), true
		},
		"unclosed string, json": func(n int) ([]byte, bool) {
			return []byte(`{"a":"` + strings.Repeat(`\u0000`, n)), true
		},
		"duplicate keys, json": func(n int) ([]byte, bool) {
			return []byte(`{` + strings.Repeat(`"a":1,`, n) + `"a":1}`), true
		},
		"long key, json": func(n int) ([]byte, bool) {
			return []byte(`{"` + strings.Repeat(`\u0061`, n) + `":1}`), true
		},
		"digits, json": func(n int) ([]byte, bool) {
			return []byte(`{"a":` + strings.Repeat(`1`, n) + `}`), true
		},
		"digits in quotes, json": func(n int) ([]byte, bool) {
			return []byte(`{"resourceSpans":"` + strings.Repeat(`1`, n) + `"}`), true
		},
		"padding, json": func(n int) ([]byte, bool) {
			return []byte(`{"resourceSpans":[{"resource":{"attributes":[{"value":{"bytesValue":"` +
				strings.Repeat("\n", n) + strings.Repeat("A=", n) + `"}}]}}]}`), true
		},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			const n = 50_000
			measure := func(n int) time.Duration {
				body, json := build(n)
				fastest := time.Hour
				for range 3 {
					start := threadTime(t)
					if json {
						_, _ = JSON(Traces, body, Unlimited(1000))
					} else {
						_, _ = Protobuf(Traces, body, Unlimited(1000))
					}
					fastest = min(fastest, threadTime(t)-start)
				}
				return fastest
			}
			small, large := measure(n), measure(16*n)
			assert.Less(t, large, 100*small+time.Millisecond)
		})
	}
}
