// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// recording is what a real Dify sent: 203 pushes with 7,709 spans, by process.
type recording struct {
	pushes map[item.ID][]ptrace.Traces
	spans  int
}

func newRecording(tb testing.TB) *recording {
	tb.Helper()
	r := &recording{pushes: map[item.ID][]ptrace.Traces{}}
	for _, td := range readTraces(tb, filepath.Join("..", "..", "tests", "testdata", "recordings", "traces.jsonl.gz")) {
		process := attr.Fingerprint(td.ResourceSpans().At(0).Resource().Attributes())
		r.pushes[process] = append(r.pushes[process], td)
		r.spans += td.SpanCount()
	}
	return r
}

// again are the same pushes of other traces.
func (r *recording) again(round uint64) [][]ptrace.Traces {
	var out [][]ptrace.Traces
	for _, pushes := range r.pushes {
		var list []ptrace.Traces
		for _, td := range pushes {
			next := ptrace.NewTraces()
			td.CopyTo(next)
			for _, rs := range next.ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					for _, s := range ss.Spans().All() {
						id := s.TraceID()
						binary.BigEndian.PutUint64(id[:8], binary.BigEndian.Uint64(id[:8])+round)
						s.SetTraceID(id)
					}
				}
			}
			list = append(list, next)
		}
		out = append(out, list)
	}
	return out
}

// envelopes that they become, one an error or transaction.
func envelopesOf(b *testing.B, pushes [][]ptrace.Traces) (n int64) {
	b.Helper()
	e := benchExporter(b, "http://127.0.0.1:1")
	for _, list := range pushes {
		for _, td := range list {
			c := e.shared.convertTraces(td)
			fresh, _ := e.shared.seen.Split(c.Events, c.now)
			n += int64(len(fresh) + len(c.Items))
		}
	}
	require.NoError(b, e.Shutdown(b.Context()))
	return n
}

// counting is a server that accepts everything, and keeps it if keep is set.
type counting struct {
	*httptest.Server
	accepted atomic.Int64
	mu       sync.Mutex
	bodies   [][]byte // guarded by mu
	keep     bool
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
		c.accepted.Add(1)
	}))
	tb.Cleanup(c.Close)
	return c
}

func (c *counting) await(n int64) {
	for c.accepted.Load() < n {
		time.Sleep(time.Millisecond)
	}
}

func benchExporter(b *testing.B, url string) *sentryExporter {
	b.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.DSN = configopaque.String("http://" + testKey + "@" + url[len("http://"):] + "/1")
	cfg.QueueConfig.Get().QueueSize = 1 << 20
	cfg.MaxAge = 0 // it was recorded long ago
	set := testSettings()
	set.Logger = zap.NewNop()
	traces, err := NewFactory().CreateTraces(b.Context(), set, cfg)
	require.NoError(b, err)
	require.NoError(b, traces.Start(b.Context(), componenttest.NewNopHost()))
	return traces.(*sentryExporter)
}

// BenchmarkEnvelopes compares the exporter, from spans to Sentry's response, with a bare program that posts the same
// finished envelopes, compressed in the same way, over as many connections.
func BenchmarkEnvelopes(b *testing.B) {
	all := newRecording(b)
	want := envelopesOf(b, all.again(0))
	var ours, bare time.Duration
	envelopes := 0
	for round := uint64(1); b.Loop(); round++ {
		pushes := all.again(round)
		server := newCounting(b)
		server.keep = true
		e := benchExporter(b, server.URL)
		begin := time.Now()
		feed(b, e, pushes)
		server.await(want)
		ours += time.Since(begin)
		require.NoError(b, e.Shutdown(b.Context()))
		// Which event comes first of one failure, and is sent before a richer one, depends on the order of pushes.
		require.GreaterOrEqual(b, server.accepted.Load(), want)

		bodies := unzipped(b, server.bodies)
		server.keep = false
		bare += postBare(b, server, bodies)
		envelopes += len(bodies)
		server.Close()
	}
	b.ReportMetric(float64(envelopes)/ours.Seconds(), "envelopes/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "ratio")
}

// feed sends as Dify's processes do, each its pushes one after the other.
func feed(b *testing.B, e *sentryExporter, pushes [][]ptrace.Traces) {
	b.Helper()
	var done sync.WaitGroup
	for _, list := range pushes {
		done.Go(func() {
			for _, td := range list {
				if err := e.ConsumeTraces(b.Context(), td); err != nil {
					b.Error(err)
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
			zw, _ := gzip.NewWriterLevel(&buf, gzip.BestSpeed) // as the exporter
			for body := range next {
				buf.Reset()
				zw.Reset(&buf)
				_, _ = zw.Write(body)
				_ = zw.Close()
				req, _ := http.NewRequestWithContext(
					b.Context(),
					http.MethodPost,
					server.URL+"/api/1/envelope/",
					bytes.NewReader(buf.Bytes()),
				)
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

// BenchmarkMapping compares mapping and encoding alone, in spans per CPU second, with what the stock otlphttp
// exporter does with the same spans: its encoding.
func BenchmarkMapping(b *testing.B) {
	all := newRecording(b)
	e := benchExporter(b, "http://127.0.0.1:1")
	defer func() { require.NoError(b, e.Shutdown(b.Context())) }()
	var ours, stock time.Duration
	spans := 0
	for round := uint64(1); b.Loop(); round++ {
		pushes := slices.Concat(all.again(round)...)
		begin := cpuTime(b)
		for _, td := range pushes {
			e.shared.convertTraces(td)
		}
		ours += cpuTime(b) - begin
		begin = cpuTime(b)
		for _, td := range pushes {
			_, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
			require.NoError(b, err)
		}
		stock += cpuTime(b) - begin
		spans += all.spans
	}
	b.ReportMetric(float64(spans)/ours.Seconds(), "spans/cpu-s")
	b.ReportMetric(float64(spans)/stock.Seconds(), "otlphttp-spans/cpu-s")
	b.ReportMetric(stock.Seconds()/ours.Seconds(), "ratio")
}
