// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Instrumentation scopes.
const (
	instrumentation        = "opentelemetry.instrumentation."
	instrumentationVersion = "0.65b0"

	scopeFlask     = instrumentation + "flask"
	scopeCelery    = instrumentation + "celery"
	scopeSQL       = instrumentation + "sqlalchemy"
	scopeRedis     = instrumentation + "redis"
	scopeHTTPX     = instrumentation + "httpx"
	scopeDecorator = "extensions.otel.decorators.base"
	scopeNode      = "core.app.workflow.layers.observability"
	scopeException = "dify.exception.logging" // of Dify up to 1.11.2
)

// Flags of the Python SDK: bit 8 means that bit 9, "the parent is remote", is valid.
const (
	flagsLocal  = 0x100
	flagsRemote = 0x300
)

// Batch is what one process exports.
type Batch struct {
	Process *Process
	Traces  ptrace.Traces
}

// tracer writes the spans of one exchange. Its clock only moves forward: each span starts where the previous one ended.
type tracer struct {
	r       random
	now     time.Time
	batches []*Batch
	scopes  map[scopeKey]ptrace.ScopeSpans
	spans   int
}

type scopeKey struct {
	process *Process
	scope   string
}

// span is an open span with its process and scope.
type span struct {
	ptrace.Span
	process *Process
}

func newTracer(r random, start time.Time) *tracer {
	return &tracer{r: r, now: start, scopes: map[scopeKey]ptrace.ScopeSpans{}}
}

// root opens a span of a new trace.
func (t *tracer) root(p *Process, scope, name string, kind ptrace.SpanKind) span {
	s := t.start(p, scope, name, kind)
	s.SetTraceID(t.r.traceID())
	s.SetFlags(flagsLocal)
	return s
}

// child opens a span of the parent's process.
func (t *tracer) child(parent span, scope, name string, kind ptrace.SpanKind) span {
	s := t.start(parent.process, scope, name, kind)
	s.SetTraceID(parent.TraceID())
	s.SetParentSpanID(parent.SpanID())
	s.SetFlags(flagsLocal)
	return s
}

// remote opens a span in another process, whose parent is propagated by a request or a task.
func (t *tracer) remote(parent span, p *Process, scope, name string, kind ptrace.SpanKind) span {
	parent.process = p
	s := t.child(parent, scope, name, kind)
	s.SetFlags(flagsRemote)
	return s
}

func (t *tracer) start(p *Process, scope, name string, kind ptrace.SpanKind) span {
	s := t.scope(p, scope).Spans().AppendEmpty()
	t.spans++
	s.SetSpanID(t.r.spanID())
	s.SetName(name)
	s.SetKind(kind)
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(t.now))
	return span{s, p}
}

func (t *tracer) scope(p *Process, name string) ptrace.ScopeSpans {
	key := scopeKey{p, name}
	if ss, ok := t.scopes[key]; ok {
		return ss
	}
	ss := t.resourceSpans(p).ScopeSpans().AppendEmpty()
	ss.Scope().SetName(name)
	if len(name) > len(instrumentation) && name[:len(instrumentation)] == instrumentation {
		ss.Scope().SetVersion(instrumentationVersion)
		ss.SetSchemaUrl("https://opentelemetry.io/schemas/1.11.0")
	}
	t.scopes[key] = ss
	return ss
}

func (t *tracer) resourceSpans(p *Process) ptrace.ResourceSpans {
	for _, b := range t.batches {
		if b.Process == p {
			return b.Traces.ResourceSpans().At(0)
		}
	}
	b := &Batch{Process: p, Traces: ptrace.NewTraces()}
	t.batches = append(t.batches, b)
	rs := b.Traces.ResourceSpans().AppendEmpty()
	p.resource(rs.Resource())
	return rs
}

// work advances the clock.
func (t *tracer) work(low, high time.Duration) {
	t.now = t.now.Add(t.r.between(low, high))
}

// end closes a span now.
func (t *tracer) end(s span) {
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(t.now))
}

// ok is the status that Dify's own decorators set.
func ok(s span) {
	s.Status().SetCode(ptrace.StatusCodeOk)
}

func failed(s span, message string) {
	s.Status().SetCode(ptrace.StatusCodeError)
	s.Status().SetMessage(message)
}
