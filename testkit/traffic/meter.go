// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// durationBounds are the Python SDK's default bounds, in milliseconds here.
var durationBounds = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}

// Request is a request that one process handled.
type Request struct {
	Method string
	Route  string
	Status int64
	End    time.Time
	Took   time.Duration
}

// Meter is the meter provider of one process. It is cumulative, and each stream has its own start time, set by its
// first measurement. It is safe for concurrent use.
type Meter struct {
	process *Process

	// mu guards the fields below.
	mu      sync.Mutex
	streams []*stream // in order of their first measurement
}

// stream is one series of http.server.duration.
type stream struct {
	request Request // Method, Route and Status are its labels
	start   time.Time
	count   uint64
	sum     float64
	min     float64
	max     float64
	buckets []uint64
}

func newMeter(p *Process) *Meter {
	return &Meter{process: p}
}

// Observe counts a request.
func (m *Meter) Observe(r Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stream(r)
	ms := float64(r.Took.Milliseconds()) // whole milliseconds, as Flask's instrumentation records
	i, _ := slices.BinarySearch(durationBounds, ms)
	s.buckets[i]++
	s.count++
	s.sum += ms
	s.min = min(s.min, ms)
	s.max = max(s.max, ms)
}

// stream returns a series, which it starts if it does not exist. The caller holds mu.
func (m *Meter) stream(r Request) *stream {
	for _, s := range m.streams {
		if s.request.Method == r.Method && s.request.Route == r.Route && s.request.Status == r.Status {
			return s
		}
	}
	s := &stream{
		request: r, start: r.End, min: float64(r.Took.Milliseconds()), buckets: make([]uint64, len(durationBounds)+1),
	}
	m.streams = append(m.streams, s)
	return s
}

// Snapshot returns what the process exports at now: nothing without a measurement.
func (m *Meter) Snapshot(now time.Time) (pmetric.Metrics, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := pmetric.NewMetrics()
	if len(m.streams) == 0 {
		return out, false
	}
	rm := out.ResourceMetrics().AppendEmpty()
	m.process.resource(rm.Resource())
	ts := pcommon.NewTimestampFromTime(now)
	flask := rm.ScopeMetrics().AppendEmpty()
	flask.Scope().SetName(scopeFlask)
	flask.Scope().SetVersion(instrumentationVersion)
	flask.SetSchemaUrl("https://opentelemetry.io/schemas/1.11.0")
	m.activeRequests(flask.Metrics().AppendEmpty(), ts)
	m.durations(flask.Metrics().AppendEmpty(), ts)
	own := rm.ScopeMetrics().AppendEmpty()
	own.Scope().SetName("http_metrics")
	own.Scope().SetVersion(difyVersion)
	m.responses(own.Metrics().AppendEmpty(), ts)
	return out, true
}

func (m *Meter) activeRequests(metric pmetric.Metric, now pcommon.Timestamp) {
	metric.SetName("http.server.active_requests")
	metric.SetDescription("Measures the number of concurrent HTTP requests that are currently in-flight.")
	metric.SetUnit("requests")
	sum := metric.SetEmptySum()
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	var methods []string
	for _, s := range m.streams {
		if slices.Contains(methods, s.request.Method) {
			continue
		}
		methods = append(methods, s.request.Method)
		dp := sum.DataPoints().AppendEmpty()
		httpLabels(dp.Attributes(), s.request.Method)
		// A request begins before it is measured: this stream is the oldest.
		dp.SetStartTimestamp(pcommon.NewTimestampFromTime(s.start.Add(-s.request.Took)))
		dp.SetTimestamp(now)
		dp.SetIntValue(0)
	}
}

func (m *Meter) durations(metric pmetric.Metric, now pcommon.Timestamp) {
	metric.SetName("http.server.duration")
	metric.SetDescription("Measures the duration of inbound HTTP requests.")
	metric.SetUnit("ms")
	histogram := metric.SetEmptyHistogram()
	histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for _, s := range m.streams {
		dp := histogram.DataPoints().AppendEmpty()
		httpLabels(dp.Attributes(), s.request.Method)
		dp.Attributes().PutStr("net.host.name", "api:5001")
		dp.Attributes().PutInt("net.host.port", 5001)
		dp.Attributes().PutInt("http.status_code", s.request.Status)
		dp.Attributes().PutStr("http.target", s.request.Route)
		dp.SetStartTimestamp(pcommon.NewTimestampFromTime(s.start))
		dp.SetTimestamp(now)
		dp.SetCount(s.count)
		dp.SetSum(s.sum)
		dp.SetMin(s.min)
		dp.SetMax(s.max)
		dp.BucketCounts().FromRaw(s.buckets)
		dp.ExplicitBounds().FromRaw(durationBounds)
	}
}

func (m *Meter) responses(metric pmetric.Metric, now pcommon.Timestamp) {
	metric.SetName("http.server.response.count")
	metric.SetDescription("Total number of HTTP responses by status code, method and target")
	metric.SetUnit("{response}")
	sum := metric.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for _, s := range m.streams {
		dp := sum.DataPoints().AppendEmpty()
		dp.Attributes().PutInt("status_code", s.request.Status)
		dp.Attributes().PutStr("status_class", strconv.FormatInt(s.request.Status/100, 10)+"xx")
		dp.Attributes().PutStr("http.route", s.request.Route)
		dp.Attributes().PutStr("http.request.method", s.request.Method)
		dp.SetStartTimestamp(pcommon.NewTimestampFromTime(s.start))
		dp.SetTimestamp(now)
		dp.SetIntValue(int64(s.count))
	}
}

func httpLabels(a pcommon.Map, method string) {
	a.PutStr("http.method", method)
	a.PutStr("http.server_name", "localhost")
	a.PutStr("http.scheme", "http")
	a.PutStr("http.host", "api:5001")
	a.PutStr("http.flavor", "1.1")
}
