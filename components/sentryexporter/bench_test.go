// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/zap"
)

// requests are traces of recorded spans: 10 come before their root, 10 with it, and each fifth root has an exception.
type requests struct {
	resource ptrace.ResourceSpans
	spans    []ptrace.Span
}

const (
	spansOfRequest     = 21
	envelopesOfRequest = 1.2
)

func newRequests(tb testing.TB) *requests {
	tb.Helper()
	r := &requests{}
	for _, td := range readTraces(tb, filepath.Join("testdata", "recorded.jsonl.gz")) {
		for _, rs := range td.ResourceSpans().All() {
			r.resource = rs
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					r.spans = append(r.spans, s)
				}
			}
		}
	}
	return r
}

// pushes of n requests, in pairs.
func (r *requests) pushes(first, n int) []ptrace.Traces {
	var out []ptrace.Traces
	now := time.Now()
	for trace := uint64(first + 1); trace <= uint64(first+n); trace++ {
		for half := range uint64(2) {
			p := newPush(now)
			rs := p.ResourceSpans().AppendEmpty()
			r.resource.Resource().CopyTo(rs.Resource())
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName("opentelemetry.instrumentation.sqlalchemy")
			for id := range uint64(10) {
				s := ss.Spans().AppendEmpty()
				r.spans[(trace*20+half*10+id)%uint64(len(r.spans))].CopyTo(s)
				s.Events().RemoveIf(func(ptrace.SpanEvent) bool { return true })
				s.SetKind(ptrace.SpanKindInternal)
				s.SetFlags(0)
				s.SetTraceID(traceID(trace))
				s.SetSpanID(spanID(2 + half*10 + id))
				s.SetParentSpanID(spanID(1))
				s.SetStartTimestamp(pcommon.NewTimestampFromTime(now))
				s.SetEndTimestamp(pcommon.NewTimestampFromTime(now))
			}
			if half == 1 {
				root := p.request(ss.Spans(), trace, 1)
				if trace%5 == 0 {
					p.exception(root, "RuntimeError", "failure", "/app/api/a.py", "/app/api/b.py", "/app/api/c.py")
				}
			}
			out = append(out, p.Traces)
		}
	}
	return out
}

// counting is a server that takes everything, and keeps it if told to.
type counting struct {
	*httptest.Server
	taken  atomic.Int64
	mu     sync.Mutex
	bodies [][]byte // guarded by mu
	keep   bool
}

func newCounting(tb testing.TB) *counting {
	c := &counting{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		if c.keep {
			c.mu.Lock()
			c.bodies = append(c.bodies, body)
			c.mu.Unlock()
		}
		_, _ = io.WriteString(w, "{}")
		c.taken.Add(1)
	}))
	tb.Cleanup(c.Close)
	return c
}

func (c *counting) await(n int64) {
	for c.taken.Load() < n {
		time.Sleep(time.Millisecond)
	}
}

func benchExporter(b *testing.B, url string) *sentryExporter {
	b.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.DSN = configopaque.String("http://" + testKey + "@" + url[len("http://"):] + "/1")
	cfg.QueueConfig.QueueSize = 1 << 20
	set := testSettings()
	set.Logger = zap.NewNop()
	traces, err := NewFactory().CreateTraces(b.Context(), set, cfg)
	require.NoError(b, err)
	require.NoError(b, traces.Start(b.Context(), componenttest.NewNopHost()))
	return traces.(*sentryExporter)
}

// BenchmarkEnvelopes compares the exporter, from spans to Sentry's answer, with a bare program that posts the same finished
// envelopes, compressed in the same way, over as many connections.
func BenchmarkEnvelopes(b *testing.B) {
	const n = 1000
	all := newRequests(b)
	var ours, bare time.Duration
	envelopes := 0
	for first := 0; b.Loop(); first += n {
		pushes := all.pushes(first, n)
		server := newCounting(b)
		server.keep = true
		e := benchExporter(b, server.URL)
		begin := time.Now()
		feed(b, e, pushes)
		server.await(int64(n * envelopesOfRequest))
		ours += time.Since(begin)
		require.NoError(b, e.Shutdown(b.Context()))

		bodies := unzipped(b, server.bodies)
		server.keep = false
		bare += postBare(b, server, bodies)
		envelopes += len(bodies)
		server.Close()
	}
	b.ReportMetric(float64(envelopes)/ours.Seconds(), "envelopes/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "ratio")
}

// feed pushes from as many senders as Dify may have processes, each request by one.
func feed(b *testing.B, e *sentryExporter, pushes []ptrace.Traces) {
	b.Helper()
	const senders = 10
	var done sync.WaitGroup
	for sender := range senders {
		done.Go(func() {
			for at := 2 * sender; at < len(pushes); at += 2 * senders {
				for _, td := range pushes[at : at+2] {
					if err := e.ConsumeTraces(b.Context(), td); err != nil {
						b.Error(err)
					}
				}
			}
		})
	}
	done.Wait()
}

func unzipped(b *testing.B, bodies [][]byte) [][]byte {
	b.Helper()
	var out [][]byte
	for _, body := range bodies {
		zr, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(b, err)
		plain, err := io.ReadAll(zr)
		require.NoError(b, err)
		out = append(out, plain)
	}
	return out
}

// postBare posts envelopes over 20 connections, as many as the queues of errors and transactions have consumers.
func postBare(b *testing.B, server *counting, bodies [][]byte) time.Duration {
	b.Helper()
	const connections = 20
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	next := make(chan []byte)
	var done sync.WaitGroup
	begin := time.Now()
	for range connections {
		done.Go(func() {
			var buf bytes.Buffer
			zw := gzip.NewWriter(&buf)
			for body := range next {
				buf.Reset()
				zw.Reset(&buf)
				_, _ = zw.Write(body)
				_ = zw.Close()
				req, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/api/1/envelope/", bytes.NewReader(buf.Bytes()))
				req.Header.Set("Content-Encoding", "gzip")
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	for _, body := range bodies {
		next <- body
	}
	close(next)
	done.Wait()
	return time.Since(begin)
}

// cpuTime is what this process used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkMapping compares mapping and encoding alone, in spans per CPU second, with what the stock otlphttp exporter does
// with the same spans: its encoding.
func BenchmarkMapping(b *testing.B) {
	const n = 500
	all := newRequests(b)
	e := benchExporter(b, "http://127.0.0.1:1")
	defer func() { require.NoError(b, e.Shutdown(b.Context())) }()
	var ours, stock time.Duration
	spans := 0
	for first := 0; b.Loop(); first += n {
		pushes := all.pushes(first, n)
		begin := cpuTime(b)
		for _, td := range pushes {
			newConversion(b.Context(), e.hub).traces(td)
		}
		ours += cpuTime(b) - begin
		begin = cpuTime(b)
		for _, td := range pushes {
			_, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
			require.NoError(b, err)
		}
		stock += cpuTime(b) - begin
		spans += n * spansOfRequest
	}
	b.ReportMetric(float64(spans)/ours.Seconds(), "spans/cpu-s")
	b.ReportMetric(float64(spans)/stock.Seconds(), "otlphttp-spans/cpu-s")
	b.ReportMetric(stock.Seconds()/ours.Seconds(), "ratio")
}
