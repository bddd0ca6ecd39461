// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package hostile sends the built binary with the shipped configuration what no SDK sends. After each input the
// process lives, a request in good order is accepted, the scrape has its metric, and the memory was bounded.
package hostile

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
)

// memoryLimit is what the container has.
const memoryLimit = 1 << 30

// start runs the collector as the image does.
func start(t *testing.T) *collector.Collector {
	t.Helper()
	return collector.Start(t, collector.Options{Env: backEnds()})
}

// backEnds returns the environment of a collector whose back ends are unreachable: it queues what it accepts.
func backEnds() map[string]string {
	return map[string]string{
		"GOMEMLIMIT":             "800MiB",
		"DB_HOST":                "127.0.0.1",
		"DB_PORT":                "1",
		"CELERY_BROKER_URL":      "redis://127.0.0.1:1/1",
		"OTELCOL_OPENSEARCH_URL": "http://127.0.0.1:1",
	}
}

// input is something hostile, and the responses to it that are allowed.
type input struct {
	name string
	send func(*testing.T, *collector.Collector)
}

// over sends JSON over HTTP.
func over(name, path string, body []byte, allowed ...int) input {
	return input{name, func(t *testing.T, c *collector.Collector) {
		assert.Contains(t, allowed, post(t, c, path, json, body))
	}}
}

// both sends a request in protobuf over HTTP and gRPC.
func both(name string, body []byte, status int, code codes.Code) input {
	return input{name, func(t *testing.T, c *collector.Collector) {
		assert.Equal(t, status, post(t, c, "/v1/traces", protobuf, body))
		assert.Equal(t, code, invoke(t, c, body))
	}}
}

func TestHostileInput(t *testing.T) {
	c := start(t)
	peak := watchMemory(t, c)
	for i, in := range []input{
		over("H1: bounds without counts", "/v1/metrics", histogram(`["1"]`, `[1,2]`), http.StatusOK),
		over("H1: bounds and no counts", "/v1/metrics", histogram(`[]`, `[1,2]`), http.StatusOK),
		both("H3: lists nested 1.5 million deep", inSpan(nested(1_500_000, false)), 413, codes.InvalidArgument),
		both("H3: maps nested 1 million deep", inSpan(nested(1_000_000, true)), 413, codes.InvalidArgument),
		over("H3: lists nested 1 million deep in JSON", "/v1/traces", nestedJSON(1_000_000), 413),
		both("H4: empty spans", inScope(repeat("\x12\x00", 31<<20)), 413, codes.InvalidArgument),
		both("H4: empty attributes", inSpan(repeat("\x4a\x00", 31<<20)), 413, codes.InvalidArgument),
		over("H4: empty spans in JSON", "/v1/traces", spansJSON(20<<20), 413),
		over("H4: commas behind an error in JSON", "/v1/traces",
			[]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":["`+strings.Repeat(",", 60<<20)+`"]}]}]}]}`), 400),
		{"H4: 16 long strings in parallel", parallelStrings},
		// 400: so deep, the decoder refuses what is too short for the guard to look into.
		both("H7: maps nested 10,000 deep", inSpan(nested(10_000, true)), 400, codes.InvalidArgument),
		over("H7: maps nested 10,000 deep in JSON", "/v1/traces", nestedJSON(10_000), 413),
		both("H12: garbage", []byte("\xff\xfe\x00garbage"), 400, codes.InvalidArgument),
		both("H12: garbage in a span", inSpan([]byte("\x07\xff\xfe")), 400, codes.InvalidArgument),
		over("H12: negative time", "/v1/traces", spanJSON(`"startTimeUnixNano": -5`), 400),
		over("H12: error next to Chinese", "/v1/traces",
			spanJSON(`"name":"一二三四五六七八九","kind":"x","traceState":"一二三四五六七八九十"`), 400),
		over("H12: ID that is none", "/v1/logs",
			[]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"工作流"}]}]}]}`), 400, 404),
		both("H14: lists nested 30 deep", inSpan(nested(30, false)), 200, codes.OK),
		over("H14: lists nested 30 deep in JSON", "/v1/traces", nestedJSON(30), 200),
	} {
		begin := time.Now()
		t.Run(in.name, func(t *testing.T) { in.send(t, c) })
		checkGood(t, c, i)
		t.Logf("%s: %s, peak %d MiB", in.name, time.Since(begin).Round(time.Millisecond), peak()>>20)
	}
	assert.Positive(t, peak())
	assert.Less(t, peak(), int64(memoryLimit))
	rejected, err := c.OwnMetric(t.Context(), "otelcol_otlp_guard_rejected_requests_total")
	require.NoError(t, err)
	assert.Positive(t, rejected)
	assert.LessOrEqual(t, strings.Count(c.Log(), "OTLP request rejected"), 20, "one message a minute for each reason")
}

// parallelStrings sends requests that are allowed one at a time, but not all at once.
func parallelStrings(t *testing.T, c *collector.Collector) {
	body := inSpan(text(60 << 20))
	zipped := compress(t, body)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if i%2 == 0 {
				assert.Contains(t, []int{200, 503}, postZipped(t, c, "/v1/traces", protobuf, zipped))
			} else {
				assert.Contains(t, []codes.Code{codes.OK, codes.Unavailable, codes.Canceled}, invoke(t, c, body))
			}
		})
	}
	wg.Wait()
}

// TestHalfRequests opens connections that send half a header or half a body. They delay no one, and are closed.
func TestHalfRequests(t *testing.T) {
	c := start(t)
	peak := watchMemory(t, c)
	const connections = 300
	const (
		halfHeader = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Ty"
		halfBody   = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n" +
			"Content-Length: 1000\r\n\r\n\n"
	)
	var conns []net.Conn
	for i := range connections {
		address, request := c.OTLPHTTP, halfHeader
		switch i % 3 {
		case 1:
			address = c.Prometheus
		case 2:
			request = halfBody
		}
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, request)
		require.NoError(t, err)
		if request == halfHeader {
			conns = append(conns, conn)
		}
	}
	checkGood(t, c, 0)
	assert.Positive(t, peak())
	assert.Less(t, peak(), int64(memoryLimit))
	// read_header_timeout is 5 s. A half body has read_timeout, a minute.
	for _, conn := range conns {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(45*time.Second)))
		_, err := io.Copy(io.Discard, conn)
		var timeout net.Error
		require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is still open")
	}
}

// checkGood checks that telemetry in good order passes, and that the scrape has it.
func checkGood(t *testing.T, c *collector.Collector, n int) {
	t.Helper()
	eventually(t, "a good request", func() error {
		if status := post(t, c, "/v1/traces", protobuf, goodTraces(t)); status != http.StatusOK {
			return fmt.Errorf("HTTP status %d", status)
		}
		return nil
	})
	eventually(t, "a good request over gRPC", func() error {
		if code := invoke(t, c, goodTraces(t)); code != codes.OK {
			return fmt.Errorf("gRPC code %s", code)
		}
		return nil
	})
	name := fmt.Sprintf("good_%d", n)
	eventually(t, "good metrics", func() error {
		if status := post(t, c, "/v1/metrics", protobuf, goodMetrics(t, name)); status != http.StatusOK {
			return fmt.Errorf("HTTP status %d", status)
		}
		resp, err := http.Get("http://" + c.Prometheus + "/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		scrape, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(scrape), name) {
			return fmt.Errorf("the scrape has not %s: %s %w", name, resp.Status, err)
		}
		return nil
	})
}

// watchMemory returns a function that returns the most memory that the process has had since. Pages of the queue's
// files do not count: the kernel takes them back.
func watchMemory(t *testing.T, c *collector.Collector) func() int64 {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/status", c.Pid())
	var peak atomic.Int64
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			status, _ := os.ReadFile(path)
			for line := range strings.Lines(string(status)) {
				if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
					kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
					peak.Store(max(peak.Load(), kib<<10))
				}
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		done.Wait()
	})
	return peak.Load
}
