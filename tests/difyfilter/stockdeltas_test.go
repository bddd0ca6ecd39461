// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// TestOverlappingDeltas is why dify_filter adds up delta points itself: of three runs that overlap, the stock
// processor drops those that ended before the one that it saw first.
func TestOverlappingDeltas(t *testing.T) {
	for name, tt := range map[string]struct {
		processors string
		want       string
	}{
		"dify_filter":              {"[dify_filter]", "sample_calls_total{ 3"},
		"stock deltatocumulative":  {"[deltatocumulative]", "sample_calls_total{ 1"},
		"stock before dify_filter": {"[deltatocumulative, dify_filter]", "sample_calls_total{ 1"},
		"dify_filter, then stock":  {"[dify_filter, deltatocumulative]", "sample_calls_total{ 3"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, "yaml:processors::deltatocumulative: {}",
				"yaml:service::pipelines::metrics::processors: "+tt.processors)
			end := time.Now().Add(-time.Minute)
			for i := range 3 { // each began and ended before the one that was sent before it
				s.sendDelta(t, end.Add(-time.Duration(i)*time.Second))
			}
			wait.For(t, tt.want, func(ctx context.Context) error {
				exposition, err := s.exposition(ctx)
				if err != nil {
					return err
				}
				for line := range strings.Lines(exposition) {
					before, after, ok := strings.Cut(line, "} ")
					metric, _, _ := strings.Cut(before, "{")
					if value, _, _ := strings.Cut(strings.TrimSpace(after), " "); ok && metric+"{ "+value == tt.want {
						return nil
					}
				}
				return fmt.Errorf("not in %.200s", exposition)
			})
		})
	}
}

// sendDelta sends the point of a run of ten seconds.
func (s *stack) sendDelta(t *testing.T, end time.Time) {
	t.Helper()
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "dify")
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("dify.ops")
	m := sm.Metrics().AppendEmpty()
	m.SetName("sample.calls")
	m.SetEmptySum().SetIsMonotonic(true)
	m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	p := m.Sum().DataPoints().AppendEmpty()
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-10 * time.Second)))
	p.SetTimestamp(pcommon.NewTimestampFromTime(end))
	p.SetIntValue(1)
	p.Attributes().PutStr("gen_ai.request.model", "m")
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	require.NoError(t, err)
	s.export(t, "metrics", body)
}
