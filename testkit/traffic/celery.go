// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// queued sends a task from one process and runs it in the worker.
func (x *exchange) queued(g *Generator, task, queue string, from *Process, run func(task span)) {
	id := x.r.uuid()
	sent := x.root(from, scopeCelery, "apply_async/"+task, ptrace.SpanKindProducer)
	a := sent.Attributes()
	a.PutStr("celery.action", "apply_async")
	a.PutStr("messaging.message.id", id)
	a.PutStr("celery.task_name", task)
	a.PutStr("messaging.destination_kind", "queue")
	a.PutStr("messaging.destination", queue)
	x.redis(sent, redisBroker, "LPUSH")
	x.end(sent)

	x.work(time.Millisecond, 20*time.Millisecond)
	worker := g.World.Worker
	s := x.remote(sent, worker, scopeCelery, "run/"+task, ptrace.SpanKindConsumer)
	a = s.Attributes()
	a.PutStr("celery.action", "run")
	a.PutStr("messaging.message.id", id)
	a.PutStr("celery.task_name", task)
	a.PutStr("messaging.destination", queue)
	a.PutStr("celery.hostname", "celery@"+worker.Host)
	run(s)
	a.PutStr("celery.state", "SUCCESS")
	x.end(s)
	x.out.Task = queue
}
