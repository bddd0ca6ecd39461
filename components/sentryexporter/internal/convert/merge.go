// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// merge makes one failure of exceptions that are recorded of one: as the cause of another, passed on with the same
// text, or around the exception of a client span.
func (e *exceptions) merge() {
	texts := map[item.ID]*failure{}
	for _, f := range e.order {
		if fault := f.own[0].fault; !fault.PassedOn && fault.Text != "" && !f.onClient() {
			texts[item.NewID(f.trace, fault.Text)] = f
		}
	}
	for _, f := range e.order {
		fault := f.own[0].fault
		if inner := texts[item.NewID(f.trace, fault.Text)]; fault.PassedOn && inner != nil && inner.partOf == nil {
			inner.include(f)
		}
	}
	for _, f := range e.order {
		for _, key := range causes(f.own[0].fault) {
			inner := e.byID[keyID(relationException, f.trace, key)]
			if inner == nil || inner == f || inner.partOf != nil || f.partOf != nil {
				continue
			}
			if !inner.what().what.logged || !f.what().what.logged { // as in Sentry's SDK, two log lines are two events
				f.include(inner)
			}
		}
	}
	e.mergeBelow()
}

// mergeBelow adds the exceptions of client spans, and the exception that a node logged before it failed, to the
// exceptions around them.
func (e *exceptions) mergeBelow() {
	at := map[*tracetree.Node]*failure{}
	for _, f := range e.order {
		if f.partOf != nil || f.onClient() {
			continue
		}
		for _, o := range f.all {
			at[o.node] = f
		}
	}
	for _, f := range e.order {
		n := f.where().node
		if f.partOf != nil || !f.onClient() && !isBelowNode(n) {
			continue
		}
		outer := around(at, f, n)
		if outer == nil || !f.onClient() && !follows(outer, f) {
			continue
		}
		if outer.inner == nil {
			outer.inner = f.what().fault.Exception
		}
		outer.follow(f)
	}
}

// around returns the failure on the nearest span above a node that has one, or on the node itself.
func around(at map[*tracetree.Node]*failure, f *failure, n *tracetree.Node) *failure {
	for above := range n.Path() {
		if outer := at[above]; outer != nil && outer != f && outer.partOf == nil {
			return outer
		}
	}
	return nil
}

// isBelowNode reports whether a span belongs to the node of a workflow.
func isBelowNode(n *tracetree.Node) bool {
	return n.Inherited(difysemconv.AttrNodeType) != ""
}

// closeInTime is how long the engine may take from the failure of a node to the end of the run.
const closeInTime = 2 * time.Second

// follows reports whether the engine passed on, as an exception with another text, what a node logged: the run failed
// directly afterwards, and nothing else can be the cause.
func follows(outer, inner *failure) bool {
	o, i := outer.what(), inner.what()
	after := o.what.at.Sub(i.what.at)
	return o.fault.PassedOn && !hasCause(o.fault.Exception) && outer.inner == nil && after >= 0 && after <= closeInTime
}

// outcomeOf returns why the exception of a client span is no error: a node, whose outcome says what it meant, or an
// exception that is ignored is above it. If that is not known, it returns the ID of the span above the known ones.
func (e *exceptions) outcomeOf(f *failure) (why item.Reason, parent item.ID, known bool) {
	n := f.where().node
	for above := range n.Path() {
		switch {
		case attr.Text(above.Span.Attributes(), difysemconv.AttrNodeType) != "":
			return item.ReasonHandled, item.ID{}, true
		case e.ignored[above]:
			return item.ReasonIgnored, item.ID{}, true
		case succeededAfter(above, n.End):
			return item.ReasonHandled, item.ID{}, true
		}
	}
	return "", ParentID(n), false
}

// ParentID returns the ID of the span above those above a node that are known; the zero ID if the node's root is
// known.
func ParentID(n *tracetree.Node) item.ID {
	top := n.Top()
	if top.IsLocalRoot() {
		return item.ID{}
	}
	return SpanID(top.TraceHex(), hex.EncodeToString(top.ParentID[:]))
}

// SpanID returns the ID of a span as item.Relations has it.
func SpanID(trace, span string) item.ID { return item.NewID("span", trace, span) }

// succeededAfter reports whether a span is a request or task that succeeded after a time. What a call raised during it
// was handled, as far as Dify did not log it. Before Dify 1.11, nodes have no spans that say so. A request that streams
// its response may have ended before.
func succeededAfter(n *tracetree.Node, at time.Time) bool {
	kind := n.Span.Kind()
	if kind != ptrace.SpanKindServer && kind != ptrace.SpanKindConsumer || !n.IsLocalRoot() || n.End.Before(at) {
		return false
	}
	switch statusOf(n.Span) {
	case "", sentry.SpanStatusOK.String():
		return true
	}
	return false
}

// Outcome reports whether a span, or one above it, says what the exception of a client span below meant, which was
// raised at a time: it is the node of a workflow, or has an exception itself, or is a request or task that succeeded.
// Otherwise, it returns the ID of the span above the known ones.
func Outcome(n *tracetree.Node, at time.Time) (parent item.ID, known bool) {
	for above := range n.Path() {
		attrs := above.Span.Attributes()
		if attr.Text(attrs, difysemconv.AttrNodeType) != "" || hasException(above) || succeededAfter(above, at) ||
			strings.Contains(attr.Text(attrs, attrTask), tracingTask) {
			return item.ID{}, true
		}
	}
	return ParentID(n), false
}

func hasException(n *tracetree.Node) bool {
	for _, ev := range n.Span.Events().All() {
		if ev.Name() == eventException || ev.Name() == eventLogException {
			return true
		}
	}
	return false
}
