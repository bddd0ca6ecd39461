// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package identity determines what telemetry belongs to: the process (instance ID and role), the installation
// (version, edition, environment), and the tenant, app and workflow.
package identity

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
)

// SetInstanceID sets service.instance.id. Without it, the cumulative series of several processes have the same
// identity and overwrite each other. The ID is <host.name>:<process.pid>, so that it leads to the process. On metrics
// of Dify's SDK, Processes sets it before.
func SetInstanceID(res pcommon.Map, from emitter.Origin) {
	if attrs.Has(res, attrs.ServiceInstanceID) {
		return
	}
	switch from {
	case emitter.Container:
		id, _ := res.Get(attrs.ContainerID)
		res.PutStr(attrs.ServiceInstanceID, id.AsString())
	case emitter.SDK:
		if id := emitter.ProcessID(res); id != "" {
			res.PutStr(attrs.ServiceInstanceID, id)
		}
	default: // other resources are left alone
	}
}

// SetInstanceIDByStart sets service.instance.id on the metrics of Dify versions without process.pid: the earliest
// start time among all points of one export is constant for a process, although its streams begin at different times.
// Each ResourceMetrics is the export of one process, even if a gateway merged several into one request.
func SetInstanceIDByStart(rm pmetric.ResourceMetrics) {
	res := rm.Resource().Attributes()
	if attrs.Has(res, attrs.ServiceInstanceID) {
		return
	}
	host, ok := res.Get(attrs.HostName)
	name := ""
	if ok {
		name = host.AsString()
	}
	if !ok && attrs.Text(res, attrs.ServiceName) == emitter.ServicePluginDaemon {
		name, ok = emitter.ServicePluginDaemon, true // its resource has no host
	}
	if start := earliestStart(rm); ok && start != 0 {
		res.PutStr(attrs.ServiceInstanceID, name+"@"+strconv.FormatUint(uint64(start), 10))
	}
}

func earliestStart(rm pmetric.ResourceMetrics) pcommon.Timestamp {
	var earliest pcommon.Timestamp
	attrs.EachPoint(rm, func(p attrs.Point) {
		if start := p.StartTimestamp(); start != 0 && (earliest == 0 || start < earliest) {
			earliest = start
		}
	})
	return earliest
}
