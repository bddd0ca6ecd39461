// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	slowTrace      = 5 * time.Second
	expensiveTrace = 0.0051
)

// With the overlay, OpenSearch has each trace with an error, each slow and each expensive one, and few of the rest. No
// trace is there in part. Everything else gets what it gets without.
func TestTailSampling(t *testing.T) {
	all := filepath.Join(t.TempDir(), "all.jsonl")
	s := newStack(t, stackOptions{
		overlays: append(collector.KeepDays(), repo.Path("config", "overlays", "tail-sampling.yaml"),
			"yaml:receivers::workflow_log::start_at: beginning",
			"yaml:extensions::file_storage/queue::fsync: false", // there is no crash
			"yaml:exporters::sentry::max_age: 0",                // it was recorded long ago
			"yaml:exporters::file::path: "+all,
			"yaml:service::pipelines::traces::exporters: [sentry, forward/tail_sampling, file]"),
		env: map[string]string{
			"OTELCOL_TAIL_SAMPLING_WAIT":    "10s",
			"OTELCOL_TAIL_SAMPLING_TRACES":  "1500", // fewer than there are: senders wait
			"OTELCOL_TAIL_SAMPLING_SLOW_MS": strconv.FormatInt(slowTrace.Milliseconds(), 10),
			"OTELCOL_TAIL_SAMPLING_PRICE":   fmt.Sprint(expensiveTrace),
			"OTELCOL_TAIL_SAMPLING_PERCENT": "0.5",
		},
		fill: func(ctx context.Context, database string) error {
			return servers.SharedPostgres(t).Restore(ctx, database, recordings.Unzipped(t, recordings.WorkRows))
		},
	})
	for _, name := range []string{recordings.Traces, recordings.WorkTraces} {
		for _, line := range recordings.Lines(t, name) {
			require.Equal(t, http.StatusOK, exportHTTP(t, s.Collector, "traces", "", line))
		}
	}
	s.expectRecordedRuns(t, s.recordedRuns(t))

	traces := s.readTraces(t, all)
	sampled := s.sampledTraces(t, len(traces))
	kinds, kindSpans, spans, kept := map[string]int{}, map[string]int{}, 0, 0
	for id, trace := range traces {
		spans += len(trace.spans)
		kept += len(sampled[id])
		switch len(sampled[id]) {
		case 0:
			assert.Emptyf(t, trace.why(), "trace %s is missing", id)
		case len(trace.spans):
			kinds[trace.why()]++
			kindSpans[trace.why()] += len(trace.spans)
		default:
			t.Errorf("trace %s (%s) has %d of %d spans", id, trace.why(), len(sampled[id]), len(trace.spans))
		}
	}
	t.Logf("%d of %d spans are kept, by reason %v; of %d traces %v", kept, spans, kindSpans, len(traces), kinds)
	for _, why := range []string{"error", "slow", "expensive", ""} {
		assert.Positive(t, kinds[why], why)
	}
	assert.LessOrEqual(t, kept, spans*15/100)
	assert.Greater(t, len(s.sentry.Transactions()), len(sampled), "Sentry gets all")
}

// sampledTrace is what is known of a trace.
type sampledTrace struct {
	spans            map[string]bool // by span ID
	failed, costly   bool
	earliest, latest pcommon.Timestamp
}

// why returns the reason to keep the trace.
func (s *sampledTrace) why() string {
	switch {
	case s.failed:
		return "error"
	case s.latest.AsTime().Sub(s.earliest.AsTime()) >= slowTrace:
		return "slow"
	case s.costly:
		return "expensive"
	}
	return ""
}

func (s *sampledTrace) add(span ptrace.Span) {
	s.spans[span.SpanID().String()] = true
	s.failed = s.failed || span.Status().Code() == ptrace.StatusCodeError
	for _, event := range span.Events().All() {
		s.failed = s.failed || event.Name() == "exception"
	}
	price, ok := span.Attributes().Get("dify.usage.total_price")
	s.costly = s.costly || ok && price.Double() >= expensiveTrace
	if s.earliest == 0 || span.StartTimestamp() < s.earliest {
		s.earliest = span.StartTimestamp()
	}
	s.latest = max(s.latest, span.EndTimestamp())
}

// readTraces waits until a file of the collector has as many spans as it passed on, and returns its traces.
func (s *stack) readTraces(t *testing.T, file string) map[string]*sampledTrace {
	t.Helper()
	traces := map[string]*sampledTrace{}
	wait.For(t, "the file of all spans", func(ctx context.Context) error {
		sent, err := s.OwnMetric(ctx, "otelcol_exporter_sent_spans_total", `exporter="file"`)
		if err != nil {
			return err
		}
		clear(traces)
		found := 0
		if err := eachWritten(file, func(span ptrace.Span) {
			id := span.TraceID().String()
			if traces[id] == nil {
				traces[id] = &sampledTrace{spans: map[string]bool{}}
			}
			traces[id].add(span)
			found++
		}); err != nil {
			return err
		}
		if found != int(sent) {
			return fmt.Errorf("%d of %v spans", found, sent)
		}
		return nil
	})
	return traces
}

// sampledTraces waits until there is a decision about each trace, and returns the IDs of the spans in OpenSearch by
// trace.
func (s *stack) sampledTraces(t *testing.T, want int) map[string]map[string]bool {
	t.Helper()
	traces := map[string]map[string]bool{}
	wait.For(t, "a decision about each trace", func(ctx context.Context) error {
		decided, err := s.OwnMetric(ctx, "otelcol_processor_tail_sampling_global_count_traces_sampled_total")
		if err == nil && int(decided) != want {
			err = fmt.Errorf("%v of %d traces", decided, want)
		}
		return err
	})
	wait.For(t, "the sampled spans", func(ctx context.Context) error {
		sent, err := s.OwnMetric(ctx, "otelcol_exporter_sent_spans_total", `exporter="opensearch"`)
		if err != nil {
			return err
		}
		waiting, err := s.OwnMetric(ctx, "otelcol_exporter_queue_size", `exporter="opensearch"`, `data_type="traces"`)
		if err != nil || waiting > 0 {
			return fmt.Errorf("%v wait: %w", waiting, err)
		}
		clear(traces)
		found := 0
		if err := s.search.Walk(ctx, "dify-traces-*", []string{"traceId", "spanId"}, func(hit servers.Hit) {
			id := fmt.Sprint(hit.Source["traceId"])
			if traces[id] == nil {
				traces[id] = map[string]bool{}
			}
			traces[id][fmt.Sprint(hit.Source["spanId"])] = true
			found++
		}); err != nil {
			return err
		}
		if found != int(sent) {
			return fmt.Errorf("%d documents of %v spans", found, sent)
		}
		return nil
	})
	return traces
}
