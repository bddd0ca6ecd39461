// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// export is what a process with host.name h and process.pid 7 exports.
func export(start, at pcommon.Timestamp, temporality pmetric.AggregationTemporality) pmetric.ResourceMetrics {
	rm := pmetric.NewMetrics().ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("host.name", "h")
	rm.Resource().Attributes().PutInt("process.pid", 7)
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	for i := range pcommon.Timestamp(2) { // streams begin at different times
		sum := metrics.AppendEmpty().SetEmptySum()
		sum.SetAggregationTemporality(temporality)
		p := sum.DataPoints().AppendEmpty()
		p.SetStartTimestamp(start + i)
		p.SetTimestamp(at)
	}
	return rm
}

func TestProcesses(t *testing.T) {
	type sample struct {
		start, at pcommon.Timestamp
		want      string
	}
	for name, samples := range map[string][]sample{
		"one process": {{100, 160, "h:7"}, {100, 220, "h:7"}},
		"two processes, in turns": {
			{100, 160, "h:7"}, {130, 190, "h:7@130"}, {100, 220, "h:7"}, {130, 250, "h:7@130"},
		},
		"the older is seen later": {{130, 190, "h:7"}, {100, 220, "h:7@100"}, {130, 250, "h:7"}, {100, 280, "h:7@100"}},
		"three processes":         {{100, 160, "h:7"}, {110, 170, "h:7@110"}, {120, 180, "h:7@120"}, {100, 220, "h:7"}},
		"restarts":                {{100, 160, "h:7"}, {170, 230, "h:7"}, {240, 300, "h:7"}},
		"an export from before the restart, again": {{100, 160, "h:7"}, {170, 230, "h:7"}, {100, 160, "h:7"}, {170, 290, "h:7"}},
		"the second was taken for a restart": {
			{100, 160, "h:7"}, {170, 230, "h:7"}, {100, 240, "h:7@100"}, {170, 290, "h:7"}, {100, 300, "h:7@100"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewProcesses(10, time.Hour)
			for _, s := range samples {
				rm := export(s.start, s.at, pmetric.AggregationTemporalityCumulative)
				p.SetInstanceID(rm, time.Unix(0, 0))
				assert.Equal(t, s.want, rm.Resource().Attributes().AsRaw()["service.instance.id"])
			}
		})
	}
	t.Run("delta points do not identify a process", func(t *testing.T) {
		p := NewProcesses(10, time.Hour)
		for _, start := range []pcommon.Timestamp{100, 130, 110} {
			rm := export(start, start+60, pmetric.AggregationTemporalityDelta)
			p.SetInstanceID(rm, time.Unix(0, 0))
			assert.Equal(t, "h:7", rm.Resource().Attributes().AsRaw()["service.instance.id"])
		}
	})
}
