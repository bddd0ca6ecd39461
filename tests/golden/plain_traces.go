// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// epoch is the normalized time.
var epoch = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

// said is a span with its process.
type said struct {
	ptrace.Span
	role, scope string
}

// traces returns one export of each process, its spans in the order of their traces.
func (p *plain) traces(batches []ptrace.Traces) ptrace.Traces {
	out := ptrace.NewTraces()
	byRole := map[string]ptrace.ResourceSpans{}
	scopes := map[string]pcommon.InstrumentationScope{}
	byTrace := map[pcommon.TraceID][]said{}
	for _, td := range batches {
		for _, rs := range td.ResourceSpans().All() {
			role := p.resource(rs.Resource())
			byRole[role] = rs
			for _, ss := range rs.ScopeSpans().All() {
				scopes[ss.Scope().Name()] = ss.Scope()
				for _, span := range ss.Spans().All() {
					byTrace[span.TraceID()] = append(byTrace[span.TraceID()], said{span, role, ss.Scope().Name()})
				}
			}
		}
	}
	places := map[string]ptrace.ScopeSpans{} // of a role and a scope
	for _, role := range slices.Sorted(maps.Keys(byRole)) {
		rs := out.ResourceSpans().AppendEmpty()
		byRole[role].Resource().CopyTo(rs.Resource())
		for _, scope := range slices.Sorted(maps.Keys(scopes)) {
			ss := rs.ScopeSpans().AppendEmpty()
			scopes[scope].CopyTo(ss.Scope())
			places[role+scope] = ss
		}
	}
	for i, spans := range orderly(byTrace) {
		p.renumber(i+1, spans)
		for _, s := range spans {
			s.CopyTo(places[s.role+s.scope].Spans().AppendEmpty())
		}
	}
	for _, rs := range out.ResourceSpans().All() {
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool { return ss.Spans().Len() == 0 })
	}
	return out
}

// orderly sorts traces by their start. Celery's own calls of its broker happen at random times: one of each kind is
// kept, at the end.
func orderly(byTrace map[pcommon.TraceID][]said) [][]said {
	var requests [][]said
	lone := map[string][]said{}
	for _, spans := range byTrace {
		slices.SortFunc(spans, func(a, b said) int {
			return cmp.Or(cmp.Compare(a.role, b.role), cmp.Compare(a.StartTimestamp(), b.StartTimestamp()),
				cmp.Compare(b.EndTimestamp(), a.EndTimestamp()), cmp.Compare(a.Name(), b.Name()))
		})
		if first := spans[0]; len(spans) == 1 && strings.HasSuffix(first.scope, ".redis") {
			statement, _ := first.Attributes().Get("db.statement")
			lone[first.role+first.Name()+statement.Str()+first.Status().Code().String()] = spans
			continue
		}
		requests = append(requests, spans)
	}
	slices.SortFunc(requests, func(a, b []said) int { return cmp.Compare(a[0].StartTimestamp(), b[0].StartTimestamp()) })
	for _, kind := range slices.Sorted(maps.Keys(lone)) {
		requests = append(requests, lone[kind])
	}
	return requests
}

// renumber sets the ids and times of a trace's spans: each process's times are a millisecond apart.
func (p *plain) renumber(trace int, spans []said) {
	ids := map[pcommon.SpanID]pcommon.SpanID{{}: {}}
	for i, s := range spans {
		var id pcommon.SpanID
		binary.BigEndian.PutUint32(id[:], uint32(trace))
		binary.BigEndian.PutUint32(id[4:], uint32(i+1))
		ids[s.SpanID()] = id
	}
	var traceID pcommon.TraceID
	binary.BigEndian.PutUint64(traceID[8:], uint64(trace))
	moments := momentsOf(trace, spans)
	for _, s := range spans {
		s.SetTraceID(traceID)
		s.SetSpanID(ids[s.SpanID()])
		s.SetParentSpanID(ids[s.ParentSpanID()])
		s.SetName(p.text(s.Name()))
		s.Status().SetMessage(p.text(s.Status().Message()))
		p.attributes(s.Attributes())
		s.SetStartTimestamp(moments[s.role][s.StartTimestamp()])
		s.SetEndTimestamp(moments[s.role][s.EndTimestamp()])
		for _, event := range s.Events().All() {
			event.SetTimestamp(moments[s.role][event.Timestamp()])
			p.attributes(event.Attributes())
		}
	}
}

func momentsOf(trace int, spans []said) map[string]map[pcommon.Timestamp]pcommon.Timestamp {
	moments := map[string]map[pcommon.Timestamp]pcommon.Timestamp{"api": {}, "worker": {}}
	for _, s := range spans {
		moments[s.role][s.StartTimestamp()] = 0
		moments[s.role][s.EndTimestamp()] = 0
		for _, event := range s.Events().All() {
			moments[s.role][event.Timestamp()] = 0
		}
	}
	for role, of := range moments {
		at := epoch.Add(time.Duration(trace) * time.Second)
		if role == "worker" {
			at = at.Add(time.Second / 2)
		}
		for _, moment := range slices.Sorted(maps.Keys(of)) {
			of[moment] = pcommon.NewTimestampFromTime(at)
			at = at.Add(time.Millisecond)
		}
	}
	return moments
}
