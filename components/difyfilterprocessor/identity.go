// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// identify sets service.instance.id. Without it, the cumulative series of several processes have the same identity and
// overwrite each other. The ID is <host.name>:<process.pid>, so that it leads to the process.
func identify(res pcommon.Map, from origin) {
	if has(res, attrServiceInstanceID) {
		return
	}
	switch from {
	case originContainer:
		id, _ := res.Get(attrContainerID)
		res.PutStr(attrServiceInstanceID, id.AsString())
	case originSDK:
		if id := processID(res); id != "" {
			res.PutStr(attrServiceInstanceID, id)
		}
	default: // other resources are left alone
	}
}

func processID(res pcommon.Map) string {
	host, hasHost := res.Get(attrHostName)
	pid, hasPID := res.Get(attrProcessPID)
	if !hasHost || !hasPID {
		return ""
	}
	return host.AsString() + ":" + pid.AsString()
}

// identified reports whether the resource has the instance ID that identify sets.
func identified(res pcommon.Map) bool {
	id := text(res, attrServiceInstanceID)
	return id != "" && id == processID(res)
}

// identifyByStart sets service.instance.id on the metrics of Dify versions without process.pid: the earliest start time
// among all points of one export is constant for a process, although its streams begin at different times. Each
// ResourceMetrics is the export of one process, even if a gateway merged several into one request.
func identifyByStart(rm pmetric.ResourceMetrics) {
	res := rm.Resource().Attributes()
	if has(res, attrServiceInstanceID) {
		return
	}
	host, ok := res.Get(attrHostName)
	if !ok {
		return
	}
	start := earliestStart(rm)
	if start == 0 {
		return
	}
	res.PutStr(attrServiceInstanceID, host.AsString()+"@"+strconv.FormatUint(uint64(start), 10))
}

func earliestStart(rm pmetric.ResourceMetrics) pcommon.Timestamp {
	var earliest pcommon.Timestamp
	eachPoint(rm, func(p point) {
		if start := p.StartTimestamp(); start != 0 && (earliest == 0 || start < earliest) {
			earliest = start
		}
	})
	return earliest
}

// point is the common interface of data points of every type.
type point interface {
	Attributes() pcommon.Map
	StartTimestamp() pcommon.Timestamp
}

func eachPoint(rm pmetric.ResourceMetrics, do func(point)) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			eachPointOf(m, do)
		}
	}
}

func eachPointOf(m pmetric.Metric, do func(point)) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		eachOf(m.Gauge().DataPoints(), do)
	case pmetric.MetricTypeSum:
		eachOf(m.Sum().DataPoints(), do)
	case pmetric.MetricTypeHistogram:
		eachOf(m.Histogram().DataPoints(), do)
	case pmetric.MetricTypeExponentialHistogram:
		eachOf(m.ExponentialHistogram().DataPoints(), do)
	case pmetric.MetricTypeSummary:
		eachOf(m.Summary().DataPoints(), do)
	case pmetric.MetricTypeEmpty:
	}
}

func eachOf[P point, S interface {
	Len() int
	At(int) P
}](points S, do func(point)) {
	for i := range points.Len() {
		do(points.At(i))
	}
}
