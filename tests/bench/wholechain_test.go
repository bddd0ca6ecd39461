// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/throughput"
)

// repeats of the recording for each of the two chains in an iteration.
const repeats = 10

func stockFiles() []string {
	return []string{repo.Path("tests", "bench", "stock.yaml"), repo.Path("tests", "bench", "stock_chain.yaml")}
}

func TestStockWholeChainIsValid(t *testing.T) {
	result := collector.Validate(t, map[string]string{
		"OTELCOL_OTLP_HTTP_ENDPOINT": "127.0.0.1:4318", "OTELCOL_HEALTH_ENDPOINT": "127.0.0.1:13133",
		"OTELCOL_STORAGE_DIR":    t.TempDir(),
		"OTELCOL_TELEMETRY_HOST": "127.0.0.1", "OTELCOL_TELEMETRY_PORT": "8888",
		"OTELCOL_OPENSEARCH_URL": "http://127.0.0.1:9200", "OTELCOL_BENCH_OTLP_URL": "http://127.0.0.1:4418",
	}, stockFiles()...)
	assert.Zero(t, result.Code, result.Output)
}

// BenchmarkWholeChain compares the built binary's CPU time for each recorded span in the shipped traces pipeline,
// from OTLP to OpenSearch and Sentry with queues on disk, with that of the stock components in stock.yaml and
// stock_chain.yaml. The two alternate, so that other load affects both. The result is `x-stock`: below 1, ours takes
// less.
func BenchmarkWholeChain(b *testing.B) {
	requests, spans := throughput.Requests(b, repeats)
	shipped := []string{throughput.TracesOnly(b, "collector.yaml")}
	var ours, stock time.Duration
	total := 0
	for b.Loop() {
		ours += chainTime(b, requests, shipped)
		stock += chainTime(b, requests, stockFiles())
		total += spans
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(total), "µs/span")
	b.ReportMetric(float64(stock.Microseconds())/float64(total), "stock-µs/span")
	b.ReportMetric(ours.Seconds()/stock.Seconds(), "x-stock")
}

// chainTime is the CPU time of a collector that starts with empty queues.
func chainTime(b *testing.B, requests [][]byte, configs []string) (used time.Duration) {
	b.Helper()
	back := throughput.Start(b)
	c := collector.Start(b, collector.Options{Configs: configs, Env: back.Env})
	used = back.CPU(b, requests, c.OTLPHTTP, c)[0]
	c.Terminate(b)
	return used
}
