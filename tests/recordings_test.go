// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// Everything that a real Dify emitted (testdata/recordings/README.md) must arrive, except what a named rule drops.

func TestRecordedSpansArriveOnce(t *testing.T) {
	recorded := map[string]recordedSpan{}
	lines := recordings.Lines(t, recordings.Traces)
	for _, line := range lines {
		readSpans(t, line, recorded)
	}
	require.Len(t, recorded, 7709)

	s := newStack(t, stackOptions{overlays: collector.KeepDays(), env: map[string]string{"OTELCOL_SENTRY_DSN": ""}})
	for _, line := range lines {
		require.Equal(t, http.StatusOK, exportHTTP(t, s.Collector, "traces", "", line))
	}
	dropped, err := s.OwnMetric(t.Context(), droppedItems, `kind="span"`)
	require.NoError(t, err)
	hits := s.documents(t, len(recorded)-int(dropped), "dify-traces-*", servers.All())
	for _, hit := range hits {
		span, known := recorded[hit.ID]
		require.Truef(t, known, "document %s was never recorded, or came twice", hit.ID)
		delete(recorded, hit.ID)
		require.Equal(t, "dify-traces-"+span.start.Format("2006.01.02"), hit.Index)
		require.Equal(t, span.start.Format(time.RFC3339Nano), hit.Source["@timestamp"])
	}
	for id, span := range recorded {
		assert.Truef(t, span.noise(), "span %s (%s) is missing", id, span.name)
	}
	s.documents(t, 0, "otelcol-dify-dead-letter*", servers.All())
	assert.Zero(t, s.sentry.Counts(), "an empty DSN is off")
}

// Across everything that dify_filter drops; its kinds and rules are labels.
const droppedItems = "otelcol_dify_filter_dropped_items_total"

func TestRecordedMetricsKeepTheirProcesses(t *testing.T) {
	s := newStack(t, stackOptions{})
	for _, line := range recordings.Lines(t, recordings.Metrics) {
		require.Equal(t, http.StatusOK, exportHTTP(t, s.Collector, "metrics", "", line))
	}
	// Three gunicorn workers served 301 requests; the one after the restart served two more.
	const series = `http_server_duration_milliseconds_count{http_route="/v1/info"}`
	for _, count := range []float64{105, 89, 107, 2} {
		s.expectValue(t, 1, fmt.Sprintf("count(%s == %v)", series, count))
	}
	s.expectValue(t, 4, "count("+series+")")
}

func TestRecordedRunsArrive(t *testing.T) {
	s := newStack(t, stackOptions{
		overlays: []string{"yaml:receivers::workflow_log::start_at: beginning"},
		fill: func(ctx context.Context, database string) error {
			return servers.SharedPostgres(t).Restore(ctx, database, recordings.Unzipped(t, recordings.Rows))
		},
	})
	ended := s.recordedRuns(t)
	require.Len(t, ended, 22)
	s.expectRunDocuments(t, ended)
	s.expectValue(t, 22, `sum(app_workflow_run_total)`)
	s.expectValue(t, 16, `sum(app_workflow_run_success_total)`)
	s.expectValue(t, 6, `sum(app_workflow_run_failure_total)`)
}

type recordedSpan struct {
	name, scope string
	start       time.Time
	root        bool
	attributes  pcommon.Map
}

// noise reports what a rule may drop: health checks, and a worker's polling of its broker.
func (s recordedSpan) noise() bool {
	if route, ok := s.attributes.Get("http.route"); ok && route.Str() == "/health" {
		return true
	}
	return strings.HasSuffix(s.scope, ".redis") && s.root
}

func readSpans(t *testing.T, line string, spans map[string]recordedSpan) {
	t.Helper()
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(line))
	require.NoError(t, err)
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				spans[span.TraceID().String()+"-"+span.SpanID().String()] = recordedSpan{
					name: span.Name(), scope: scope.Scope().Name(), start: span.StartTimestamp().AsTime(),
					root: span.ParentSpanID().IsEmpty(), attributes: span.Attributes(),
				}
			}
		}
	}
}
