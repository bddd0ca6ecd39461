// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"bufio"
	"compress/gzip"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
)

// harness is a filter with its own telemetry and a clock that the test controls.
type harness struct {
	*filter
	telemetry *componenttest.Telemetry
	clock     time.Time
}

// harnessStart is the time at which a harness begins.
const harnessStart = 1795426800

func newHarness(tb testing.TB, change ...func(*Config)) *harness {
	tb.Helper()
	cfg := createDefaultConfig().(*Config)
	for _, c := range change {
		c(cfg)
	}
	require.NoError(tb, cfg.Validate())
	b := &harness{telemetry: componenttest.NewTelemetry(), clock: time.Unix(harnessStart, 0)}
	tb.Cleanup(func() { require.NoError(tb, b.telemetry.Shutdown(context.Background())) })
	shared := newState(cfg)
	shared.now = func() time.Time { return b.clock }
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = b.telemetry.NewTelemetrySettings()
	f, err := newFilter(cfg, set, shared)
	require.NoError(tb, err)
	b.filter = f
	return b
}

func (b *harness) traces(tb testing.TB, td ptrace.Traces) ptrace.Traces {
	tb.Helper()
	out, err := b.processTraces(tb.Context(), td)
	skipped(tb, err, out.SpanCount())
	return out
}

func (b *harness) metrics(tb testing.TB, md pmetric.Metrics) pmetric.Metrics {
	tb.Helper()
	out, err := b.processMetrics(tb.Context(), md)
	skipped(tb, err, out.DataPointCount())
	return out
}

func (b *harness) logs(tb testing.TB, ld plog.Logs) plog.Logs {
	tb.Helper()
	out, err := b.processLogs(tb.Context(), ld)
	skipped(tb, err, out.LogRecordCount())
	return out
}

func skipped(tb testing.TB, err error, left int) {
	tb.Helper()
	if left == 0 {
		require.ErrorIs(tb, err, processorhelper.ErrSkipProcessingData)
		return
	}
	require.NoError(tb, err)
}

// droppedBy is a rule and the kind of item that it dropped.
type droppedBy struct{ rule, kind string }

// dropped returns the processor's counts of dropped items.
func (b *harness) dropped(tb testing.TB) map[droppedBy]int {
	tb.Helper()
	counts := map[droppedBy]int{}
	for set, n := range b.counter(tb, "otelcol_dify_filter_dropped_items") {
		rule, _ := set.Value("rule")
		kind, _ := set.Value("kind")
		counts[droppedBy{rule.AsString(), kind.AsString()}] = int(n)
	}
	return counts
}

func (b *harness) droppedOf(tb testing.TB, kind string) int {
	tb.Helper()
	total := 0
	for by, n := range b.dropped(tb) {
		if by.kind == kind {
			total += n
		}
	}
	return total
}

func (b *harness) counter(tb testing.TB, name string) map[attribute.Set]int64 {
	tb.Helper()
	got, err := b.telemetry.GetMetric(name)
	if err != nil {
		return nil // never incremented
	}
	counts := map[attribute.Set]int64{}
	for _, p := range got.Data.(metricdata.Sum[int64]).DataPoints {
		counts[p.Attributes] = p.Value
	}
	return counts
}

// recordedTraces returns the export requests of a real Dify, in order.
func recordedTraces(tb testing.TB) []ptrace.Traces {
	tb.Helper()
	var batches []ptrace.Traces
	eachLine(tb, "traces.jsonl.gz", func(line []byte) {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
		require.NoError(tb, err)
		batches = append(batches, td)
	})
	return batches
}

func recordedMetrics(tb testing.TB) []pmetric.Metrics {
	tb.Helper()
	var batches []pmetric.Metrics
	eachLine(tb, "metrics.jsonl.gz", func(line []byte) {
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line)
		require.NoError(tb, err)
		batches = append(batches, md)
	})
	return batches
}

func eachLine(tb testing.TB, name string, do func([]byte)) {
	tb.Helper()
	file, err := os.Open(filepath.Join("testdata", "recordings", filepath.Base(name)))
	require.NoError(tb, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	require.NoError(tb, err)
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		do(lines.Bytes())
	}
	require.NoError(tb, lines.Err())
}

// Output is compared in its encoded form, in which an absent list and an empty list are equal.

func wireTraces(tb testing.TB, td ptrace.Traces) string {
	tb.Helper()
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(tb, err)
	return string(text)
}

func wireMetrics(tb testing.TB, md pmetric.Metrics) string {
	tb.Helper()
	text, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	require.NoError(tb, err)
	return string(text)
}

func wireLogs(tb testing.TB, ld plog.Logs) string {
	tb.Helper()
	text, err := (&plog.JSONMarshaler{}).MarshalLogs(ld)
	require.NoError(tb, err)
	return string(text)
}

func copyTraces(td ptrace.Traces) ptrace.Traces {
	c := ptrace.NewTraces()
	td.CopyTo(c)
	return c
}

// placed is a span with the name of its scope and its resource.
type placed struct {
	ptrace.Span
	scope string
	res   pcommon.Map
}

func spansOf(td ptrace.Traces) []placed {
	var spans []placed
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				spans = append(spans, placed{span, ss.Scope().Name(), rs.Resource().Attributes()})
			}
		}
	}
	return spans
}

// newRandom logs its seed, and uses the one in OTELCOL_TEST_SEED to reproduce a failure.
func newRandom(tb testing.TB) *rand.Rand {
	tb.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("OTELCOL_TEST_SEED"); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(tb, err)
	}
	tb.Logf("OTELCOL_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
