// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package containerlog

import (
	"cmp"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
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

type outputKey struct{ instance, service string }

func newOutput(set *Settings, now time.Time) *output {
	return &output{set: set, now: now, logs: plog.NewLogs(), records: map[outputKey]plog.LogRecordSlice{}}
}

func (o *output) add(e *entry) {
	role := identity.RoleByContainer(e.raw.service, e.raw.name)
	key := outputKey{e.raw.instance, o.serviceName(e, role)}
	records, ok := o.records[key]
	if !ok {
		rl := o.logs.ResourceLogs().AppendEmpty()
		e.raw.res.CopyTo(rl.Resource().Attributes())
		o.describe(&e.raw, key.service, role, rl.Resource().Attributes())
		records = rl.ScopeLogs().AppendEmpty().LogRecords()
		o.records[key] = records
	}
	e.write(records.AppendEmpty(), o.now)
}

// serviceName returns the service name that a line has or that its role gives: all processes of Dify's image have the
// same one, which their text lines do not contain. Only Dify's format names a source file of Python.
func (o *output) serviceName(e *entry, role string) string {
	switch {
	case e.line.Service != "":
		return e.line.Service
	case role == difysemconv.RoleAPI, role == difysemconv.RoleWorker, role == difysemconv.RoleBeat:
		return o.set.ServiceName
	case role == difysemconv.RolePluginDaemon:
		return emitter.ServicePluginDaemon
	case role == "" && strings.HasSuffix(e.line.File, ".py"):
		return o.set.ServiceName
	default:
		return cmp.Or(e.raw.service, identity.ComposeService(e.raw.name))
	}
}

// describe writes the resource of a container or file.
func (o *output) describe(raw *rawLine, service, role string, res pcommon.Map) {
	attrs.PutAbsent(res, attrs.ServiceName, service)
	attrs.PutAbsent(res, attrs.ServiceInstanceID, raw.instance)
	if raw.container != "" {
		attrs.PutAbsent(res, attrs.ContainerID, raw.container)
		attrs.PutAbsent(res, attrs.ContainerName, raw.name)
	}
	for _, a := range raw.resource {
		attrs.PutAbsent(res, a.key, a.value)
	}
	if role == "" {
		return
	}
	attrs.PutAbsent(res, difysemconv.AttrRole, role)
	if o.set.ServiceNamespace != "" {
		attrs.PutAbsent(res, attrs.ServiceNamespace, o.set.ServiceNamespace)
	}
}
