// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package bench compares our components with the stock ones that come closest. Unlike the other tests, which run the
// binary, it runs components in this process, so that both get the same batches and their times can be separated.
package bench

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/redactionprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/resourceprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/transformprocessor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// chain is a chain of processors.
type chain struct {
	consumer.Traces
	processors []processor.Traces
}

// add puts a processor in front, configured by stock.yaml or with its defaults.
func (c *chain) add(tb testing.TB, factory processor.Factory, configured bool) {
	tb.Helper()
	cfg := factory.CreateDefaultConfig()
	if configured {
		conf, err := confmaptest.LoadConf(repo.Path("tests", "bench", "stock.yaml"))
		require.NoError(tb, err)
		sub, err := conf.Sub("processors::" + factory.Type().String())
		require.NoError(tb, err)
		require.NoError(tb, sub.Unmarshal(cfg))
	}
	p, err := factory.CreateTraces(tb.Context(), processortest.NewNopSettings(factory.Type()), cfg, c.Traces)
	require.NoError(tb, err)
	require.NoError(tb, p.Start(tb.Context(), componenttest.NewNopHost()))
	c.Traces, c.processors = p, append(c.processors, p)
}

func (c *chain) shutdown(tb testing.TB) {
	tb.Helper()
	for _, p := range c.processors {
		assert.NoError(tb, p.Shutdown(tb.Context()))
	}
}

func ourChain(tb testing.TB, next consumer.Traces) *chain {
	tb.Helper()
	c := &chain{Traces: next}
	c.add(tb, difyfilterprocessor.NewFactory(), false)
	return c
}

// stockChain is the chain of stock.yaml.
func stockChain(tb testing.TB, next consumer.Traces) *chain {
	tb.Helper()
	c := &chain{Traces: next}
	for _, factory := range []processor.Factory{ // from the last to the first
		redactionprocessor.NewFactory(), transformprocessor.NewFactory(), filterprocessor.NewFactory(),
		resourceprocessor.NewFactory(),
	} {
		c.add(tb, factory, true)
	}
	return c
}

func TestStockChainIsValid(t *testing.T) {
	result := collector.Validate(t, nil, repo.Path("tests", "bench", "stock.yaml"))
	assert.Zero(t, result.Code, result.Output)
}

// The chain must do what it is compared for, or its speed would mean nothing.
func TestStockChainWorks(t *testing.T) {
	stock, ours := new(consumertest.TracesSink), new(consumertest.TracesSink)
	in := 0
	for _, chain := range []*chain{stockChain(t, stock), ourChain(t, ours)} {
		in = 0
		for _, td := range recordings.TracesNow(t) {
			in += td.SpanCount()
			require.NoError(t, chain.ConsumeTraces(t.Context(), td))
		}
		chain.shutdown(t)
	}
	require.Equal(t, 7709, in)
	assert.InDelta(t, ours.SpanCount(), stock.SpanCount(), 30, "both drop the noise")
	assert.Less(t, stock.SpanCount(), in-200)
	for _, sink := range []*consumertest.TracesSink{stock, ours} {
		titles, runs := 0, 0
		for _, td := range sink.AllTraces() {
			recordings.EachSpan(td, func(_ string, span ptrace.Span) {
				for _, key := range []string{"input.value", "output.value", "gen_ai.prompt"} {
					_, there := span.Attributes().Get(key)
					assert.False(t, there, key)
				}
				if _, there := span.Attributes().Get("dify.node.title"); there {
					titles++
				}
				if _, there := span.Attributes().Get("dify.workflow_run_id"); there {
					runs++
				}
			})
		}
		assert.Equal(t, 54, titles)
		assert.GreaterOrEqual(t, runs, 22)
	}
}

// BenchmarkAgainstStock measures how many spans dify_filter with its defaults processes per second of CPU time,
// against the chain of stock.yaml, on the batches of a real Dify. The two alternate, so that other load on the
// machine affects both.
func BenchmarkAgainstStock(b *testing.B) {
	var batches [][]byte
	spans := 0
	for _, td := range recordings.TracesNow(b) {
		batch, err := new(ptrace.ProtoMarshaler).MarshalTraces(td)
		require.NoError(b, err)
		batches = append(batches, batch)
		spans += td.SpanCount()
	}
	var stockTime, oursTime time.Duration
	for b.Loop() {
		// New ones each time: dify_filter remembers what it has processed.
		stockTime += pass(b, stockChain(b, consumertest.NewNop()), batches)
		oursTime += pass(b, ourChain(b, consumertest.NewNop()), batches)
	}
	spans *= b.N
	b.ReportMetric(float64(spans)/oursTime.Seconds(), "spans/cpu-s")
	b.ReportMetric(float64(spans)/stockTime.Seconds(), "stock-spans/cpu-s")
	b.ReportMetric(stockTime.Seconds()/oursTime.Seconds(), "x-stock")
}

// pass returns the CPU time for the batches, with that of the garbage collector. What the benchmark keeps has no
// pointers, and batches and chains that are done are released: else most of the collector's time would be for neither
// chain.
func pass(b *testing.B, c *chain, batches [][]byte) time.Duration {
	b.Helper()
	decoded := make([]ptrace.Traces, len(batches))
	for i, batch := range batches {
		var err error
		decoded[i], err = new(ptrace.ProtoUnmarshaler).UnmarshalTraces(batch)
		require.NoError(b, err)
	}
	runtime.GC()
	begin := cpuTime(b)
	for i := range decoded {
		if err := c.ConsumeTraces(b.Context(), decoded[i]); err != nil {
			b.Fatal(err)
		}
		decoded[i] = ptrace.Traces{}
	}
	runtime.GC()
	took := cpuTime(b) - begin
	c.shutdown(b)
	return took
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
