// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	benchDocuments = 20_000 // a round
	benchRounds    = 5
	benchRequest   = 500
)

// bare is the shortest path from OTLP to OpenSearch: the cost of other parts of the pipeline would hide a difference.
var bare = []string{
	"yaml:service::pipelines::traces::processors: []",
	"yaml:service::pipelines::traces::exporters: [opensearch]",
	"yaml:exporters::opensearch::sending_queue::storage: null",
}

// contender is a collector that is measured.
type contender struct {
	*collector.Collector
	load *load
	wall time.Duration
	cpu  time.Duration
}

// BenchmarkBulk compares the stock exporter with and without the middleware (without it, the node generates the ids):
// documents per second into a real node, and the collector's CPU time per document. The templates are the same.
func BenchmarkBulk(b *testing.B) {
	node, err := servers.StartOpenSearchNode(b.Context(), servers.NodeOptions{})
	require.NoError(b, err)
	b.Cleanup(func() { _ = node.Stop() })
	with := newContender(b, node.URL, bare)
	without := newContender(b, node.URL, bare, []string{
		"yaml:exporters::opensearch::http::middlewares: []",
		"yaml:exporters::opensearch::traces_index: dify-traces-stock-" + time.Now().UTC().Format(dayLayout),
	})
	for _, c := range []*contender{with, without} { // the node's code is compiled while it runs
		c.round(b)
		c.round(b)
		c.wall, c.cpu = 0, 0
	}
	rounds := 0
	for b.Loop() {
		for range benchRounds {
			with.round(b)
			without.round(b)
			rounds++
		}
	}
	documents := float64(rounds * benchDocuments)
	b.ReportMetric(documents/with.wall.Seconds(), "docs/s")
	b.ReportMetric(documents/without.wall.Seconds(), "stock-docs/s")
	b.ReportMetric(without.wall.Seconds()/with.wall.Seconds(), "ratio")
	b.ReportMetric(float64(with.cpu.Microseconds())/documents, "cpu-µs/doc")
	b.ReportMetric(float64(without.cpu.Microseconds())/documents, "stock-cpu-µs/doc")
	b.Logf("%d documents each, with the middleware and without, in turns of %d", int(documents), benchDocuments)
}

func newContender(b *testing.B, url string, config ...[]string) *contender {
	b.Helper()
	c := &contender{load: &load{
		random: rand.New(rand.NewPCG(1, 1)), expected: map[string]expected{}, tenants: []workspace{{"tenant", "app"}},
	}}
	c.Collector = collector.Start(b, collector.Options{
		Configs: append([]string{collector.ShippedConfig()}, slices.Concat(config...)...),
		Env: map[string]string{
			"OTELCOL_OPENSEARCH_URL": url,
			"DB_HOST":                "127.0.0.1",
			"CELERY_BROKER_URL":      "redis://127.0.0.1:1/1",
		},
	})
	c.load.otlp = c.OTLPHTTP
	return c
}

// round sends the documents of a round and waits until OpenSearch has accepted them.
func (c *contender) round(b *testing.B) {
	b.Helper()
	requests := make(chan []byte, benchDocuments/benchRequest)
	for range cap(requests) {
		body, err := c.load.request(benchRequest, today)
		require.NoError(b, err)
		requests <- body
	}
	close(requests)
	goal := c.sent(b.Context()) + benchDocuments
	cpu, begin := cpuTime(b, c.Pid()), time.Now()
	var senders errgroup.Group
	for range 4 {
		senders.Go(func() error {
			for body := range requests {
				if err := c.load.send(b.Context(), body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(b, senders.Wait())
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c.sent(b.Context()) < goal {
		require.Less(b, time.Since(begin), wait.Deadline, "documents in OpenSearch")
		<-tick.C
	}
	c.wall += time.Since(begin)
	c.cpu += cpuTime(b, c.Pid()) - cpu
}

// today sets a span's start to now, so that both contenders write into the same index.
func today(span ptrace.Span) {
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now()))
}

func (c *contender) sent(ctx context.Context) int {
	sent, err := c.OwnMetric(ctx, "otelcol_exporter_sent_spans_total", `exporter="opensearch"`)
	if err != nil {
		return 0 // not yet
	}
	return int(sent)
}

// cpuTime returns the CPU time of a process so far, in ticks of 10 ms.
func cpuTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(tb, err)
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	var ticks int64
	for _, field := range fields[11:13] { // user and system
		n, err := strconv.ParseInt(string(field), 10, 64)
		require.NoError(tb, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// outageEnv names the variable with the length of the outage below. The guarantee is for 10m.
const outageEnv = "OTELCOL_BENCH_OUTAGE"

// BenchmarkOutageMemory runs the shipped configuration through an outage at 2,000 documents per second, and reports
// the collector's memory: its queue is on disk and has a limit.
func BenchmarkOutageMemory(b *testing.B) {
	length := 30 * time.Second
	if given := os.Getenv(outageEnv); given != "" {
		var err error
		length, err = time.ParseDuration(given)
		require.NoError(b, err, outageEnv)
	}
	for b.Loop() {
		newContender(b, "http://127.0.0.1:1").outage(b, length)
	}
}

func (c *contender) outage(b *testing.B, length time.Duration) {
	b.Helper()
	const perRequest, each = 200, 100 * time.Millisecond
	tick := time.NewTicker(each)
	defer tick.Stop()
	early, most, accepted, refused := 0.0, 0.0, 0, 0
	n := int(length / each)
	for i := range n {
		<-tick.C
		body, err := c.load.request(perRequest, nil)
		require.NoError(b, err)
		status, err := c.load.post(b.Context(), body)
		require.NoError(b, err)
		if status == http.StatusOK {
			accepted += perRequest
		} else {
			refused += perRequest
		}
		now := residentMB(b, c.Pid())
		most = max(most, now)
		if i < n/10 {
			early = most
		}
	}
	b.ReportMetric(early, "MB-in-first-tenth")
	b.ReportMetric(most, "MB-at-most")
	b.ReportMetric(float64(accepted), "docs-queued")
	b.ReportMetric(float64(refused), "docs-refused")
	b.Logf("%s without OpenSearch at 2,000 documents a second", length)
}

func residentMB(tb testing.TB, pid int) float64 {
	tb.Helper()
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	require.NoError(tb, err)
	pages, err := strconv.Atoi(string(bytes.Fields(statm)[1]))
	require.NoError(tb, err)
	return float64(pages*os.Getpagesize()) / (1 << 20)
}
