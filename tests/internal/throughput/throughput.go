// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package throughput measures the CPU time that collectors take to deliver the recorded spans. The back ends run in
// the process of the benchmark, which is not measured, and accept everything at once.
package throughput

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
)

const senders = 4

// BackEnds are an OpenSearch, a Sentry and an OTLP receiver.
type BackEnds struct {
	Env      map[string]string // the variables of the shipped configuration, and OTELCOL_BENCH_OTLP_URL
	received atomic.Int64      // documents, envelopes and OTLP requests
}

// Start serves the back ends until the end of the benchmark.
func Start(b *testing.B) *BackEnds {
	b.Helper()
	s := &BackEnds{}
	listen := func(serve http.HandlerFunc) string {
		server := httptest.NewServer(serve)
		b.Cleanup(server.Close)
		return server.URL
	}
	discard := func(response string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			s.received.Add(1)
			_, _ = io.WriteString(w, response)
		}
	}
	s.Env = map[string]string{
		"OTELCOL_OPENSEARCH_URL": listen(s.bulk),
		"OTELCOL_SENTRY_DSN": "http://0123456789abcdef0123456789abcdef@" + strings.TrimPrefix(
			listen(discard(`{}`)),
			"http://",
		) + "/1",
		"OTELCOL_BENCH_OTLP_URL": listen(discard("")),
	}
	return s
}

func (s *BackEnds) bulk(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	documents := bytes.Count(body, []byte("\n")) / 2
	s.received.Add(int64(documents))
	items := strings.TrimSuffix(strings.Repeat(`{"create":{"_index":"i","_id":"i","status":201}},`, documents), ",")
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"took":1,"errors":false,"items":[`+items+`]}`)
}

// CPU sends the OTLP requests to address and returns the CPU time of each collector of the chain, from the first
// request until the queues are empty and nothing has arrived for five seconds.
func (s *BackEnds) CPU(b *testing.B, requests [][]byte, address string, chain ...*collector.Collector) []time.Duration {
	b.Helper()
	used := make([]time.Duration, len(chain))
	for i, c := range chain {
		used[i] = -cpuTime(b, c)
	}
	sendAll(b, requests, "http://"+address+"/v1/traces")
	s.untilIdle(b, chain)
	for i, c := range chain {
		used[i] += cpuTime(b, c)
	}
	return used
}

func (s *BackEnds) untilIdle(b *testing.B, chain []*collector.Collector) {
	b.Helper()
	last, since := int64(-1), time.Now()
	require.Eventually(b, func() bool {
		if received := s.received.Load(); received != last || !empty(b.Context(), chain) {
			last, since = received, time.Now()
		}
		return time.Since(since) > 5*time.Second
	}, 10*time.Minute, 200*time.Millisecond)
}

func empty(ctx context.Context, chain []*collector.Collector) bool {
	for _, c := range chain {
		if n, err := c.OwnMetric(ctx, "otelcol_exporter_queue_size"); err != nil || n > 0 {
			return false
		}
	}
	return true
}

// cpuTime is the CPU time of a process so far, in the kernel's steps of 10 ms.
func cpuTime(b *testing.B, c *collector.Collector) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Pid()))
	require.NoError(b, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime of proc_pid_stat(5), which counts from the first
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func sendAll(b *testing.B, requests [][]byte, url string) {
	b.Helper()
	next := make(chan []byte)
	var running sync.WaitGroup
	for range senders {
		running.Go(func() {
			for body := range next {
				if err := send(b.Context(), url, body); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, body := range requests {
		next <- body
	}
	close(next)
	running.Wait()
}

// send posts an OTLP request, again while the collector refuses it for now.
func send(ctx context.Context, url string, body []byte) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-protobuf")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
			return nil
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		default:
			return fmt.Errorf("POST %s: HTTP %d", url, resp.StatusCode)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Requests are the recording's OTLP export requests, repeated with trace ids of their own and moved to the present.
func Requests(b *testing.B, repeats int) (requests [][]byte, spans int) {
	b.Helper()
	recorded := recordings.TracesNow(b)
	for n := range uint32(repeats) {
		for _, td := range recorded {
			again := ptrace.NewTraces()
			td.CopyTo(again)
			recordings.EachSpan(again, func(_ string, span ptrace.Span) {
				id := span.TraceID()
				binary.BigEndian.PutUint32(id[:4], binary.BigEndian.Uint32(id[:4])+n)
				span.SetTraceID(id)
			})
			spans += again.SpanCount()
			body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(again)
			require.NoError(b, err)
			requests = append(requests, body)
		}
	}
	return requests, spans
}
