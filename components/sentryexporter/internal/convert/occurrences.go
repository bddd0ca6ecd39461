// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/grouping"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/route"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// occurrence is one recording of an exception on a span.
type occurrence struct {
	node  *tracetree.Node
	what  recorded
	fault grouping.Fault
	extra map[string]string
	route item.Route
}

// failure is an exception with all its recordings in a push.
type failure struct {
	id    item.ID
	trace string
	own   []*occurrence // of the exception itself
	all   []*occurrence // and of those that it includes
	// inner is the exception of a client span, or of a node, from which this one followed without having it as a cause.
	inner *stacktrace.Exception
	// partOf is the failure that includes this one, and included are the IDs of those that this one includes.
	partOf   *failure
	included []item.ID
}

// where is the span on which the exception happened, rather than those that it passed on its way out.
func (f *failure) where() *occurrence {
	return slices.MaxFunc(f.all, func(a, b *occurrence) int { return cmp.Compare(a.node.Depth(), b.node.Depth()) })
}

// what is the recording with the most details.
func (f *failure) what() *occurrence { return slices.MaxFunc(f.own, moreDetailed) }

// moreDetailed prefers the recording that Sentry's SDK would have made, which is the logged one, then the longest stack
// trace.
func moreDetailed(a, b *occurrence) int {
	if a.what.logged != b.what.logged {
		if a.what.logged {
			return 1
		}
		return -1
	}
	return cmp.Or(
		cmp.Compare(len(a.fault.Exception.Frames), len(b.fault.Exception.Frames)),
		cmp.Compare(a.node.Depth(), b.node.Depth()),
	)
}

// runs returns the workflow runs that the exception passed: a workflow that is called as a tool has a run of its own.
func (f *failure) runs() []string {
	var out []string
	for _, o := range f.all {
		if run := o.node.Inherited(difysemconv.AttrWorkflowRunID); run != "" && !slices.Contains(out, run) {
			out = append(out, run)
		}
	}
	return out
}

// onClient reports whether only spans of calls to other services have the exception.
func (f *failure) onClient() bool {
	return !slices.ContainsFunc(f.all, func(o *occurrence) bool {
		return o.node.Span.Kind() != ptrace.SpanKindClient
	})
}

// include makes another failure a part of this one.
func (f *failure) include(other *failure) {
	f.follow(other)
	f.all = append(f.all, other.all...)
}

// follow makes another failure a part of this one, which happened in another place.
func (f *failure) follow(other *failure) {
	other.partOf = f
	f.included = append(append(f.included, other.id), other.included...)
}

// exceptions makes the error events of a push.
type exceptions struct {
	*Converter
	Result

	routes *route.Lookup
	known  Known
	nodes  []*tracetree.Node
	order  []*failure
	byID   map[item.ID]*failure
	// ignored are the spans with an exception that is discarded.
	ignored map[*tracetree.Node]bool
	count   int // exceptions that were read
}

// Bounds of the exceptions that become events. OpenTelemetry's SDKs keep 128 events of a span; a push of Dify's has a
// few exceptions. Without a bound, a request of some hundred KB becomes gigabytes of events.
const (
	maxSpanExceptions = 128
	maxPushExceptions = 2000
)

// Known is what earlier telemetry said. Nothing waits for it.
type Known interface {
	// Complete sets what an event lacks.
	Complete(ev *protocol.Event)
	// Earlier returns the spans of a process and trace that came before and wait for their root.
	Earlier(part tracetree.PartKey) []*tracetree.Node
}

// Exceptions makes the error events of a push: one for each failure, on however many spans and in however many
// exceptions it is recorded. The nodes are linked, and their segments have routes.
func (c *Converter) Exceptions(nodes []*tracetree.Node, routes *route.Lookup, known Known) Result {
	e := exceptions{
		Converter: c, routes: routes, known: known, nodes: nodes,
		byID: map[item.ID]*failure{}, ignored: map[*tracetree.Node]bool{},
	}
	for _, n := range nodes {
		if !n.WasPending { // its exceptions were reported when it came
			e.read(n)
		}
	}
	e.merge()
	for _, f := range e.order {
		e.emit(f)
	}
	return e.Result
}

func (e *exceptions) read(n *tracetree.Node) {
	all, left := recordedBy(n, min(maxSpanExceptions, maxPushExceptions-e.count))
	e.count += len(all)
	if left > 0 {
		e.Discard(item.ReasonBufferFull, e.routeOf(n), protocol.CategoryError, left)
	}
	for _, r := range all {
		r.scope = n.Scope
		o := &occurrence{node: n, what: r, extra: map[string]string{}, route: e.routeOf(n)}
		exc := exceptionOf(r, o.extra)
		if reason, ignored := e.ignores(r, exc, n.Inherited(attrTask)); ignored {
			e.Discard(reason, o.route, protocol.CategoryError, 1)
			e.ignored[n] = true
			continue
		}
		o.fault = faultOf(exc, o.extra)
		id := exceptionID(n.TraceHex(), r, o.fault)
		f := e.byID[id]
		if f == nil {
			f = &failure{id: id, trace: n.TraceHex()}
			e.byID[id] = f
			e.order = append(e.order, f)
		}
		f.own, f.all = append(f.own, o), append(f.all, o)
	}
}

func (e *exceptions) routeOf(n *tracetree.Node) item.Route {
	if to := e.routes.FindInTrace(n.Part.Trace, n.Identity.Attributes, n.Span.Attributes()); to != (item.Route{}) {
		return to
	}
	return n.Segment.Route
}

// emit makes the event of a failure. The exception of a client span waits, unless its outcome is known.
func (e *exceptions) emit(f *failure) {
	to := f.own[0].route
	if f.partOf != nil {
		e.Discard(item.ReasonDuplicate, to, protocol.CategoryError, len(f.own))
		return
	}
	e.Discard(item.ReasonDuplicate, to, protocol.CategoryError, len(f.own)-1)
	runs := f.runs()
	if !sampled(f.own[0].node.Part.Trace, e.SampleRate) {
		e.Discard(item.ReasonSampled, to, protocol.CategoryError, 1)
		e.Superseded = append(e.Superseded, runs...) // failed runs are not reported in its place
		return
	}
	if f.onClient() {
		if reason, parent, ok := e.outcomeOf(f); ok {
			e.Discard(reason, to, protocol.CategoryError, 1)
		} else if it := e.event(f); it != nil {
			it.Waits, it.Relations.Parent = item.WaitsForTrace+it.EventID, parent
			e.Waiting = append(e.Waiting, it)
		}
		return
	}
	if it := e.event(f); it != nil {
		it.Supersedes = runs
		e.Events = append(e.Events, it)
	}
}

// event makes the event of a failure from the place where it happened and the most detailed recording.
func (e *exceptions) event(f *failure) *item.Item {
	where, what := f.where(), f.what()
	fault := what.fault
	if f.inner != nil && !hasCause(fault.Exception) {
		outer := *fault.Exception
		outer.Cause, outer.Relation = f.inner, stacktrace.RelationContext
		fault.Exception = &outer
	}
	n := where.node
	ev := e.newEvent(n.Identity, what.what, fault.Exception, what.extra)
	ev.EventID = f.id.String()
	fillFromSpan(ev, n)
	ev.Fingerprint = fingerprintOf(fault, n.Inherited(attrTask))
	AddBreadcrumbs(ev, breadcrumbsBefore(n, what.what.at, e.nodes, e.known.Earlier(n.Part)))
	e.known.Complete(ev)
	if ev.Transaction == "" { // the root is not known yet
		ev.Transaction = transactionOf(n.Top())
	}
	e.Links.fill(ev)
	it := e.eventItem(ev, f.id, where.route)
	if it == nil {
		return nil
	}
	runs := f.runs()
	it.Relations = relationsOf(f.trace, what.what, fault, runs)
	it.Relations.Marks = append(it.Relations.Marks, f.included...)
	setTrace(&it.Relations, f.trace)
	it.Relations.Traceless = n.ParentID.IsEmpty() && f.onClient()
	it.Relations.Step = stepOf(n, runs)
	return it
}
