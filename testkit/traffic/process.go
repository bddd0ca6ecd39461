// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"encoding/hex"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	difyVersion = "1.16.1"
	difyCommit  = "0123abc"
	difyService = "langgenius/dify"
)

// Process is one of Dify's processes. Its Meter counts from its first measurement.
type Process struct {
	Host  string
	PID   int64
	Meter *Meter
}

func newProcess(r random, name string, pid int64) *Process {
	id := r.bytes16()
	p := &Process{Host: name + "-" + hex.EncodeToString(id[:4]), PID: pid}
	p.Meter = newMeter(p)
	return p
}

// resource is Dify's: no telemetry.sdk.*, no service.instance.id; only host.name and process.pid distinguish processes.
func (p *Process) resource(res pcommon.Resource) {
	a := res.Attributes()
	a.PutStr("service.name", difyService)
	a.PutStr("service.version", "dify-"+difyVersion+"-"+difyCommit)
	a.PutInt("process.pid", p.PID)
	a.PutStr("deployment.environment.name", "PRODUCTION-COMMUNITY")
	a.PutStr("host.name", p.Host)
	a.PutStr("host.arch", "x86_64")
	a.PutStr("custom.deployment.git_commit", difyCommit)
	a.PutStr("host.id", p.Host)
	a.PutStr("os.type", "linux")
	a.PutStr("os.description", "Linux-6.1.0-18-amd64-x86_64-with-glibc2.36")
	a.PutStr("os.version", "#1 SMP PREEMPT_DYNAMIC @0")
}
