// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// Facts are what spans say about a trace or a workflow run, for the events that do not come from spans.
type Facts struct {
	Identity    *resource.Identity
	Transaction string
	Trace, Span string
	Tags        map[string]string
	User        string

	nodeEnd    time.Time
	nodeFailed bool
	steps      []step // the last maxSteps nodes of the run
}

// step is a node of a run that has ended.
type step struct {
	end             time.Time
	title, nodeType string
	failed          bool
}

// maxSteps bounds the nodes of a run that are remembered.
const maxSteps = 12

// FactsOf returns what a span of a run, or the root of a segment, says.
func FactsOf(n *tracetree.Node) *Facts {
	f := &Facts{Identity: n.Identity, Trace: n.TraceHex(), Span: n.IDHex(), Tags: map[string]string{}}
	f.Add(n)
	return f
}

// factTags are the tags that a run has as a whole.
var factTags = []string{
	difysemconv.AttrTenantID, difysemconv.AttrAppID, difysemconv.AttrWorkflowID, difysemconv.AttrWorkflowRunID,
	difysemconv.AttrUserType, attrTask,
}

// nodeTags are the tags of the node that failed.
var nodeTags = []string{
	difysemconv.AttrNodeID, difysemconv.AttrNodeType, difysemconv.AttrNodeTitle, difysemconv.AttrNodeExecutionID,
}

// Add adds what another span says. The node that failed is the one with status ERROR, else the one that ended last: the
// engine stops at the first failure that nothing handles.
func (f *Facts) Add(n *tracetree.Node) {
	if f.Transaction == "" && n.Segment != nil && n.Segment.Complete {
		f.Transaction = transactionOf(n.Segment.Root)
	}
	value := n.Inherited
	if n.Segment != nil && n.Segment.Complete && n == n.Segment.Root { // spans below may know more
		value = func(keys ...string) string { return attributeOf(n.Segment.Nodes, keys...) }
	}
	for _, key := range factTags {
		if f.Tags[key] == "" {
			setFact(f.Tags, key, value(key))
		}
	}
	if f.User == "" {
		f.User = value(keysUser...)
	}
	nodeType := attr.Text(n.Span.Attributes(), difysemconv.AttrNodeType)
	failed := n.Span.Status().Code() == ptrace.StatusCodeError
	if nodeType != "" {
		f.addStep(n, nodeType, failed)
	}
	if nodeType == "" || !endsRunOnFailure(nodeType) || f.nodeFailed && !failed ||
		f.nodeFailed == failed && n.End.Before(f.nodeEnd) {
		return
	}
	f.nodeEnd, f.nodeFailed = n.End, failed
	for _, key := range nodeTags {
		delete(f.Tags, key)
		setFact(f.Tags, key, attr.Text(n.Span.Attributes(), key))
	}
}

func (f *Facts) addStep(n *tracetree.Node, nodeType string, failed bool) {
	if len(f.steps) == maxSteps {
		f.steps = append(f.steps[:0], f.steps[1:]...)
	}
	title := cmp.Or(attr.Text(n.Span.Attributes(), difysemconv.AttrNodeTitle), n.Span.Name(), nodeType)
	f.steps = append(f.steps, step{n.End, title, nodeType, failed})
}

// endsRunOnFailure excludes the nodes that only begin or end something.
func endsRunOnFailure(nodeType string) bool {
	switch nodeType {
	case "start", "end", "answer", "iteration-start", "loop-start", "loop-end":
		return false
	}
	return true
}

func setFact(tags map[string]string, key, value string) {
	if value != "unknown" {
		protocol.Tag(tags, key, value)
	}
}

// Complete sets what an event lacks: what spans of its run and trace say, each of which may be nil, and release and
// environment of the installation. What the event has itself is kept.
func Complete(ev *protocol.Event, installation *resource.Identity, facts ...*Facts) {
	if ev.Tags == nil {
		ev.Tags = map[string]string{}
	}
	if ev.Contexts == nil {
		ev.Contexts = map[string]any{}
	}
	for _, f := range facts {
		if f != nil {
			f.fill(ev)
		}
	}
	if installation != nil {
		ev.Release = cmp.Or(ev.Release, installation.Release)
		ev.Environment = cmp.Or(ev.Environment, installation.Environment)
		addTags(ev.Tags, pick(installation.Tags, difysemconv.AttrEdition))
	}
}

// Enrich completes the event of a log line or a run. It adds what another event of the same failure has, which may be
// nil, and then what complete sets.
func (c *Converter) Enrich(it, other *item.Item, complete func(*protocol.Event)) {
	var ev protocol.Event
	if json.Unmarshal(it.Payload, &ev) != nil {
		return
	}
	if ev.Tags == nil {
		ev.Tags = map[string]string{}
	}
	if other != nil {
		fillFromEvent(&ev, other)
	}
	complete(&ev)
	c.Links.fill(&ev)
	if payload, err := encodeEvent(&ev); err == nil {
		it.Payload, it.Size = payload, len(payload)
	}
}

func (f *Facts) fill(ev *protocol.Event) {
	ev.Release, ev.Environment = cmp.Or(ev.Release, f.Identity.Release), cmp.Or(ev.Environment, f.Identity.Environment)
	ev.ServerName = cmp.Or(ev.ServerName, f.Identity.ServerName)
	if ev.Transaction == "" || ev.Transaction == difysemconv.EventWorkflowRun {
		ev.Transaction = cmp.Or(f.Transaction, ev.Transaction)
	}
	f.addTags(ev.Tags)
	addTags(ev.Tags, f.Identity.Tags)
	if ev.User == nil {
		ev.User = userOf(f.User)
	}
	if ev.Contexts["trace"] == nil {
		ev.Contexts["trace"] = protocol.TraceContext{TraceID: f.Trace, SpanID: f.Span}
	}
	if ev.Breadcrumbs == nil {
		AddBreadcrumbs(ev, f.breadcrumbs())
	}
}

// addTags adds the tags that an event lacks. Those of the node that failed belong together: an event that has a node
// has all of its tags.
func (f *Facts) addTags(tags map[string]string) {
	hasNode := tags[difysemconv.AttrNodeType] != "" || tags[difysemconv.AttrNodeID] != ""
	for key, value := range f.Tags {
		if tags[key] == "" && (!hasNode || !slices.Contains(nodeTags, key)) {
			tags[key] = value
		}
	}
}

// breadcrumbs returns those of the nodes of a run.
func (f *Facts) breadcrumbs() (out []protocol.Breadcrumb) {
	for _, s := range f.steps {
		b := protocol.Breadcrumb{
			Timestamp: s.end.UTC(), Type: "default", Category: "dify.node", Level: sentry.LevelInfo,
			Message: protocol.Text(s.title, protocol.MaxBreadcrumb),
			Data:    map[string]any{difysemconv.AttrNodeType: protocol.Text(s.nodeType, protocol.MaxTagValue)},
		}
		if s.failed {
			b.Level = sentry.LevelError
		}
		out = append(out, b)
	}
	return out
}

// fillFromEvent sets what another event of the same failure has.
func fillFromEvent(ev *protocol.Event, other *item.Item) {
	var from protocol.Event
	if json.Unmarshal(other.Payload, &from) != nil {
		return
	}
	addTags(ev.Tags, from.Tags)
	ev.Release, ev.Environment = cmp.Or(ev.Release, from.Release), cmp.Or(ev.Environment, from.Environment)
	if ev.User == nil {
		ev.User = from.User
	}
}

func addTags(tags, more map[string]string) {
	for key, value := range more {
		if tags[key] == "" && value != "" {
			tags[key] = value
		}
	}
}

func pick(tags map[string]string, key string) map[string]string {
	return map[string]string{key: tags[key]}
}
