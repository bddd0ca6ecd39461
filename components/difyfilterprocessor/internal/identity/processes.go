// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// Processes tells processes apart that have the same host.name and process.pid: containers with a PID namespace each
// and one host name. The earliest start time of a cumulative export is constant for a process. A process that started
// before the last sign of life of another is a second one; one that started after it is the same after a restart. It is
// safe for concurrent use.
type Processes struct {
	mu    sync.Mutex
	known *expiring.Map[string, process] // guarded by mu, by <host.name>:<process.pid>
}

// process is the process that has an ID without a start time.
type process struct {
	start pcommon.Timestamp
	last  pcommon.Timestamp // of its points
}

// NewProcesses returns a Processes with at most limit IDs.
func NewProcesses(limit int, ttl time.Duration) *Processes {
	return &Processes{known: expiring.NewMap[string, process](limit, ttl)}
}

// SetInstanceID sets service.instance.id on the metrics of a process of Dify's SDK, unless it is set: to
// <host.name>:<process.pid>, and for a second process with that ID, with its start time after it.
func (p *Processes) SetInstanceID(rm pmetric.ResourceMetrics, now time.Time) {
	res := rm.Resource().Attributes()
	id := emitter.ProcessID(res)
	if id == "" || attrs.Has(res, attrs.ServiceInstanceID) {
		return
	}
	if start, last := cumulativeTimes(rm); start != 0 && p.isSecond(id, start, last, now) {
		id += "@" + strconv.FormatUint(uint64(start), 10)
	}
	res.PutStr(attrs.ServiceInstanceID, id)
}

func (p *Processes) isSecond(id string, start, last pcommon.Timestamp, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, known := p.known.Get(id, now)
	switch {
	case !known, start > first.last: // new, or restarted
		first = process{start, last}
	case start == first.start:
		first.last = max(first.last, last)
	default:
		// An export from before the restart of the process belongs to it too.
		return last >= first.start
	}
	p.known.Set(id, first, now)
	return false
}

// cumulativeTimes returns the earliest start time and the latest time of the cumulative points. Those of others change
// with each export.
func cumulativeTimes(rm pmetric.ResourceMetrics) (start, last pcommon.Timestamp) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			if !isCumulative(m) {
				continue
			}
			attrs.EachPointOf(m, func(p attrs.Point) {
				if at := p.StartTimestamp(); at != 0 && (start == 0 || at < start) {
					start = at
				}
				last = max(last, p.Timestamp())
			})
		}
	}
	return start, last
}

func isCumulative(m pmetric.Metric) bool {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
	case pmetric.MetricTypeHistogram:
		return m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
	default:
		return false
	}
}
