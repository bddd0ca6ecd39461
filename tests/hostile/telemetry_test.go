// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// maxCPU is what one input may cost the collector, in the pipeline and in the exporters.
const maxCPU = 2 * time.Second

// accepted is an input in JSON that is valid OTLP, and what is to be seen of it.
type accepted struct {
	name   string
	signal string
	bodies [][]byte
	series map[string]float64 // PromQL expressions with their values
}

// TestAcceptedInput sends what is valid OTLP and odd or large, through to real back ends. After each input good data
// passes, each scrape is whole, and memory and processor time were bounded.
func TestAcceptedInput(t *testing.T) {
	r := newBackEndRig(t)
	peak := watchMemory(t, r.Collector)
	for i, in := range append(oddMetrics(), largeInputs()...) {
		begin, cpu := time.Now(), cpuTime(t, r.Pid())
		for _, body := range in.bodies {
			assert.Equal(t, http.StatusOK, post(t, r.Collector, "/v1/"+in.signal, json, body), in.name)
		}
		used := r.settle(t, i) - cpu
		t.Logf("%s: %s of processor time in %s, peak %d MiB",
			in.name, used, time.Since(begin).Round(time.Millisecond), peak()>>20)
		assert.Less(t, used, maxCPU, in.name)
		for expr, want := range in.series {
			eventually(t, in.name+": "+expr, func() error {
				got, err := r.prometheus.Value(t.Context(), expr)
				if err == nil && got != want {
					err = fmt.Errorf("%v, expected %v", got, want)
				}
				return err
			})
		}
	}
	up, err := r.prometheus.Value(t.Context(), `min_over_time(up{job="otelcol-dify"}[1h])`)
	require.NoError(t, err)
	assert.Positive(t, up, "a scrape failed")
	assert.Positive(t, peak())
	assert.Less(t, peak(), int64(memoryLimit))
	assert.NotContains(t, r.Log(), "panic")
	assert.Empty(t, r.sentry.Problems())
	require.NoError(t, r.Alive())
}

// backEndRig is the collector between a real OpenSearch, a real Prometheus and a test double of Sentry.
type backEndRig struct {
	*collector.Collector
	search     *servers.OpenSearch
	prometheus *servers.Prometheus
	sentry     *sink.Sentry
	socket     string // of log lines
}

func newBackEndRig(t *testing.T, overlays ...string) *backEndRig {
	t.Helper()
	r := &backEndRig{
		search: servers.SharedOpenSearch(t), sentry: sink.NewSentry(), socket: filepath.Join(t.TempDir(), "fluent.sock"),
	}
	require.NoError(t, r.search.Reset(t.Context()))
	sentry, err := sink.Listen(t.Context(), "127.0.0.1:0", r.sentry)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, sentry.Close(context.WithoutCancel(t.Context()))) })
	env := backEnds()
	env["OTELCOL_OPENSEARCH_URL"], env["OTELCOL_SENTRY_DSN"] = r.search.URL, sink.SentryDSN(sentry.URL())
	env["OTELCOL_FLUENT_ENDPOINT"] = "unix://" + r.socket
	r.Collector = collector.Start(t, collector.Options{Env: env, Configs: append([]string{
		collector.ShippedConfig(), repo.Path("config", "overlays", "logs.yaml"),
	}, overlays...)})
	r.prometheus, err = servers.StartPrometheusWith(t.Context(), map[string]string{
		"prometheus.yaml": fmt.Sprintf(scrapes, r.Prometheus),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.prometheus.Stop()) })
	return r
}

// settle sends good telemetry, waits until it is in OpenSearch and in the scrape and the collector has nothing left to
// do, and returns the processor time until then.
func (r *backEndRig) settle(t *testing.T, n int) time.Duration {
	t.Helper()
	checkGood(t, r.Collector, n)
	id := fmt.Sprintf("%032x", 1<<40+n)
	now := time.Now().UnixNano()
	span := fmt.Appendf(nil, `"traceId":"%s","spanId":"%016x","name":"good","startTimeUnixNano":"%d","endTimeUnixNano":"%d"`,
		id, n+1, now, now)
	require.Equal(t, http.StatusOK, post(t, r.Collector, "/v1/traces", json, spanJSON(string(span))))
	eventually(t, "the good span in OpenSearch", func() error {
		hits, err := r.search.Search(t.Context(), "dify-traces-*", map[string]any{"term": map[string]any{"traceId": id}})
		if err == nil && len(hits) != 1 {
			err = fmt.Errorf("%d documents", len(hits))
		}
		return err
	})
	cpu := cpuTime(t, r.Pid())
	for {
		time.Sleep(500 * time.Millisecond)
		next := cpuTime(t, r.Pid())
		if next-cpu <= 50*time.Millisecond {
			return next
		}
		cpu = next
	}
}

func list(n int, item func(i int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return strings.Join(items, ",")
}

func attribute(key, value string) string {
	return `{"key":` + quote(key) + `,"value":{"stringValue":` + quote(value) + `}}`
}

func exception(text string) string {
	return `{"name":"exception","attributes":[` + attribute("exception.type", "E") + `,` +
		attribute("exception.message", text) + `]}`
}

// largeInputs are what costs by its size. What TestContainer sends to a container with little memory is not here.
func largeInputs() []accepted {
	spans := func(name string, bodies ...string) accepted {
		in := accepted{name: name, signal: "traces"}
		for _, body := range bodies {
			in.bodies = append(in.bodies, []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[`+body+`]}]}]}`))
		}
		return in
	}
	now := time.Now().UnixNano()
	span := func(i int, content string) string {
		return fmt.Sprintf(`{"traceId":"%032x","spanId":"%016x","startTimeUnixNano":"%d","endTimeUnixNano":"%d",%s}`,
			i+1, i+1, now, now, content)
	}
	day := int64(24 * time.Hour)
	return []accepted{
		spans("H6: 300,000 exceptions", span(3, `"events":[`+list(300_000, func(int) string { return exception("x") })+`]`)),
		spans("H6: 100,000 links", span(4, `"links":[`+list(100_000, func(i int) string {
			return fmt.Sprintf(`{"traceId":"%032x","spanId":"%016x"}`, i+1, i+1)
		})+`]`)),
		spans("200,000 attributes", span(5, `"attributes":[`+list(200_000, func(i int) string {
			return attribute(fmt.Sprintf("k%d", i), "v")
		})+`]`)),
		spans("H8: a message of 8 MiB", span(6, `"events":[`+exception(strings.Repeat("[SQL: [parameters: ", 8<<20/19))+`]`)),
		spans("H8: a line of 1 MiB in eight exceptions", span(7, `"events":[`+list(8, func(i int) string {
			return exception(strconv.Itoa(i) + strings.Repeat("E: 0x1 'a ", 1<<20/10))
		})+`]`)),
		spans("H9: spans of 5,000 days", list(5000, func(i int) string {
			return fmt.Sprintf(`{"traceId":"%032x","spanId":"%016x","startTimeUnixNano":"%d"}`, i+1000, i+1, int64(i)*day+1)
		})),
		spans("H9: times that are none", list(4, func(i int) string {
			at := []string{"0", "9223372036854775808", "18446744073709551615", "1"}[i]
			return fmt.Sprintf(`{"traceId":"%032x","spanId":"%016x","startTimeUnixNano":%q,"endTimeUnixNano":%q}`, i+9000, i+1, at, at)
		})),
		spans("cycles, equal and zero IDs, odd enums", `{"traceId":"00000000000000000000000000000000","spanId":"0000000000000000"},`+
			span(8, `"parentSpanId":"0000000000000009"`)+`,`+span(8, `"parentSpanId":"0000000000000009"`)+`,`+
			span(9, `"kind":99,"status":{"code":77}`)),
		{
			name: "H11: 56,000 instances", signal: "metrics",
			bodies: [][]byte{instances(0), instances(1), instances(2), instances(3), instances(4), instances(5), instances(6)},
		},
	}
}

// instances returns a gauge of 8,000 processes, each with its own resource.
func instances(part int) []byte {
	return []byte(`{"resourceMetrics":[` + list(8000, func(i int) string {
		return `{"resource":{"attributes":[` + attribute("service.instance.id", fmt.Sprintf("p%d-%d", part, i)) +
			`]},"scopeMetrics":[{"metrics":[{"name":"many","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}`
	}) + `]}`)
}

// oddMetrics are the rows of the cases of metrics: what made Prometheus refuse a scrape, or series vanish.
func oddMetrics() []accepted {
	metric := func(name, metrics string, series map[string]float64) accepted {
		return accepted{name: name, signal: "metrics", series: series, bodies: [][]byte{[]byte(
			`{"resourceMetrics":[{"resource":{"attributes":[` + attribute("service.name", "odd") + `]},` +
				`"scopeMetrics":[{"scope":{"name":"odd"},"metrics":[` + metrics + `]}]}]}`,
		)}}
	}
	times := fmt.Sprintf(`"startTimeUnixNano":"%d","timeUnixNano":"%[1]d"`, time.Now().UnixNano())
	gauge := func(name string, attributes ...string) string {
		return `{"name":` + quote(name) + `,"gauge":{"dataPoints":[{"asInt":"5",` + times + `,"attributes":[` +
			strings.Join(attributes, ",") + `]}]}}`
	}
	buckets := func(name, attributes, points string) string {
		return `{"name":"` + name + `","histogram":{"aggregationTemporality":2,"dataPoints":[{` + times +
			`,"count":"3","sum":6,"attributes":[` + attributes + `],` + points + `}]}}`
	}
	const points = `"bucketCounts":["1","1","1"],"explicitBounds":[1,2]`
	return []accepted{
		metric("M1: le", buckets("m1", attribute("le", "5"), points), map[string]float64{
			`m1_count{exported_le="5"}`: 3, `count(m1_bucket)`: 3,
		}),
		metric("M3: exponential", `{"name":"m3","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{`+times+
			`,"count":"4","sum":10,"scale":0,"zeroCount":"1","positive":{"offset":0,"bucketCounts":["1","2"]}}]}}`,
			map[string]float64{`m3_count`: 4, `m3_sum`: 10}),
		metric("M4: labels of one name", gauge("m4", attribute("a.b", "1"), attribute("a_b", "2"), attribute("a-b", "3")),
			map[string]float64{`m4{a_b="3;1;2"}`: 5}),
		metric("M4: labels of the exporter", gauge("m4b", attribute("job", "j"), attribute("instance", "i"),
			attribute("otel_scope_name", "s"), attribute("otel_scope_version", "v")),
			map[string]float64{`m4b{exported_job="j",exported_instance="i"}`: 5}),
		metric("M6: names that are none", strings.Join([]string{
			gauge("метрика"), gauge("_"), gauge(""), gauge("m6"), gauge("9lives"), buckets("hs", "", points), gauge("hs_count"),
		}, ","), map[string]float64{`m6`: 5, `hs_count`: 3}),
		metric("H1 and siblings: bounds that contradict", strings.Join([]string{
			buckets("h1a", "", `"bucketCounts":["1"],"explicitBounds":[1,2]`), buckets("h1b", "", `"explicitBounds":[1,2]`),
			buckets("h1c", "", `"bucketCounts":["1","1","1"],"explicitBounds":[2,1]`),
			buckets("h1d", "", `"bucketCounts":["1","1","1"],"explicitBounds":["NaN",1]`),
			buckets("h1e", "", `"bucketCounts":["1","1","1"],"explicitBounds":[1,1]`),
			buckets("h1f", "", `"bucketCounts":["1","1","1","1","1"],"explicitBounds":[1,2]`),
			buckets("h1g", "", points),
		}, ","), map[string]float64{`h1g_count`: 3}),
	}
}
