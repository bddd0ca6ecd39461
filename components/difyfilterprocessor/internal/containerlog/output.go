// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package containerlog

import (
	"cmp"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// output groups records by container.
type output struct {
	set     *Settings
	now     time.Time
	logs    plog.Logs
	records map[outputKey]plog.LogRecordSlice
}

type outputKey struct{ container, service string }

func newOutput(set *Settings, now time.Time) *output {
	return &output{set: set, now: now, logs: plog.NewLogs(), records: map[outputKey]plog.LogRecordSlice{}}
}

func (o *output) add(e *entry) {
	key := outputKey{e.raw.container, e.line.Service}
	records, ok := o.records[key]
	if !ok {
		rl := o.logs.ResourceLogs().AppendEmpty()
		o.describe(e, rl)
		records = rl.ScopeLogs().AppendEmpty().LogRecords()
		o.records[key] = records
	}
	e.write(records.AppendEmpty(), o.now)
}

// describe writes the resource of a container. All processes of Dify's image have the same service name, which its
// text lines do not contain.
func (o *output) describe(e *entry, rl plog.ResourceLogs) {
	res := rl.Resource().Attributes()
	e.raw.res.CopyTo(res)
	service := attrs.Text(e.raw.attributes, identity.AttrComposeService)
	role := identity.RoleByContainer(service, e.raw.name)
	name := e.line.Service
	if name == "" {
		switch role {
		case difysemconv.RoleAPI, difysemconv.RoleWorker, difysemconv.RoleBeat:
			name = o.set.ServiceName
		case difysemconv.RolePluginDaemon:
			name = emitter.ServicePluginDaemon
		default:
			name = cmp.Or(service, identity.ComposeService(e.raw.name))
		}
	}
	attrs.PutAbsent(res, attrs.ServiceName, name)
	attrs.PutAbsent(res, attrs.ServiceInstanceID, e.raw.container)
	attrs.PutAbsent(res, attrs.ContainerID, e.raw.container)
	attrs.PutAbsent(res, attrs.ContainerName, e.raw.name)
	if role == "" {
		return
	}
	attrs.PutAbsent(res, difysemconv.AttrRole, role)
	if o.set.ServiceNamespace != "" {
		attrs.PutAbsent(res, attrs.ServiceNamespace, o.set.ServiceNamespace)
	}
}
