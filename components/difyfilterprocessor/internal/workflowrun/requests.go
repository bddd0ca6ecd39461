// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowrun

import (
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

const (
	// maxStart is the longest time between the end of a streaming request and the start of its task, by the same clock. Of
	// 80 recorded ones the longest was 180 ms.
	maxStart = time.Second
	// maxPerCaller bounds what is remembered of one user of one app.
	maxPerCaller = 64
)

// Requests links a streaming request and its run, which are two traces since Dify 1.13: the API starts the run's task
// after the request's span has ended, outside of its context.
//
// A task belongs to the request of the same process whose app and user are those of the run, if exactly one ended
// within the second before the task started. With two, none is linked. Each span that passes when all three are known
// gets the link: the one that arrives last, or both.
//
// The state is bounded and expires. Requests is safe for concurrent use.
type Requests struct {
	mu       sync.Mutex
	requests *expiring.Map[caller, []requestEnd]     // guarded by mu, as the others
	runs     *expiring.Map[caller, []spanAt]         //
	tasks    *expiring.Map[pcommon.TraceID, started] // by the trace of the run
	callers  *expiring.Map[pcommon.TraceID, caller]  // by the trace of the run
}

// caller is a user of an app.
type caller struct{ app, user string }

type spanAt struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}

// started is when a process started something.
type started struct {
	process string
	at      time.Time
}

// requestEnd is when the request returned.
type requestEnd struct {
	spanAt
	started
}

// NewRequests returns a Requests that remembers at most limit users and tasks.
func NewRequests(limit int, ttl time.Duration) *Requests {
	return &Requests{
		requests: expiring.NewMap[caller, []requestEnd](limit, ttl),
		runs:     expiring.NewMap[caller, []spanAt](limit, ttl),
		tasks:    expiring.NewMap[pcommon.TraceID, started](limit, ttl),
		callers:  expiring.NewMap[pcommon.TraceID, caller](limit, ttl),
	}
}

// Link sets span links and the attributes dify.request.trace_id, on the span of the run, and
// dify.workflow_run.trace_id, on the span of the request. It must come before redaction, which can remove users.
func (r *Requests) Link(td ptrace.Traces, origins []emitter.Origin, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	present, callers := map[spanAt]ptrace.Span{}, map[caller]bool{}
	for i, rs := range td.ResourceSpans().All() {
		if !origins[i].Dify() {
			continue
		}
		process := attrs.Text(rs.Resource().Attributes(), attrs.ServiceInstanceID)
		for _, ss := range rs.ScopeSpans().All() {
			celery := ss.Scope().Name() == emitter.ScopeCelery
			if !celery && !origins[i].OwnScope(ss.Scope()) {
				continue
			}
			for _, span := range ss.Spans().All() {
				if celery {
					if r.addTask(span, process, now) {
						present[spanAt{trace: span.TraceID()}] = span
						if who, ok := r.callers.Get(span.TraceID(), now); ok {
							callers[who] = true
						}
					}
				} else if who, ok := r.addSpan(span, process, now); ok {
					present[spanAt{span.TraceID(), span.SpanID()}] = span
					callers[who] = true
				}
			}
		}
	}
	for who := range callers {
		r.linkRuns(who, present, now)
	}
}

// addTask reports whether a span is that of the start of a run's task.
func (r *Requests) addTask(span ptrace.Span, process string, now time.Time) bool {
	const task = "workflow_based_app_execution_task"
	name := span.Name()
	if !span.ParentSpanID().IsEmpty() || !strings.HasPrefix(name, "apply_async/") || !strings.HasSuffix(name, task) {
		return false
	}
	r.tasks.Set(span.TraceID(), started{process, span.StartTimestamp().AsTime()}, now)
	return true
}

// addSpan remembers the span of a run or of a streaming request.
func (r *Requests) addSpan(span ptrace.Span, process string, now time.Time) (caller, bool) {
	attributes := span.Attributes()
	streams, ok := attributes.Get("dify.streaming")
	who := caller{attrs.Text(attributes, difysemconv.AttrAppID), attrs.Text(attributes, attrs.UserID)}
	if !ok || !streams.Bool() || who.app == "" || who.user == "" {
		return caller{}, false
	}
	place := spanAt{span.TraceID(), span.SpanID()}
	switch {
	case isRunner(span):
		known, _ := r.runs.Get(who, now)
		r.runs.Set(who, add(known, place), now)
		r.callers.Set(span.TraceID(), who, now)
	case strings.HasSuffix(span.Name(), "AppGenerateService.generate"):
		known, _ := r.requests.Get(who, now)
		end := started{process, span.EndTimestamp().AsTime()}
		r.requests.Set(who, add(known, requestEnd{place, end}), now)
	default:
		return caller{}, false
	}
	return who, true
}

// add appends what is not known yet, since a batch can be repeated.
func add[T comparable](known []T, one T) []T {
	if slices.Contains(known, one) {
		return known
	}
	if len(known) >= maxPerCaller {
		known = known[1:]
	}
	return append(known, one)
}

func (r *Requests) linkRuns(who caller, present map[spanAt]ptrace.Span, now time.Time) {
	requests, _ := r.requests.Get(who, now)
	runs, _ := r.runs.Get(who, now)
	for _, run := range runs {
		task, ok := r.tasks.Get(run.trace, now)
		if !ok {
			continue
		}
		request, ok := requestOf(requests, task)
		if !ok || request.trace == run.trace {
			continue
		}
		if span, ok := present[run]; ok {
			link(span, difysemconv.AttrRequestTraceID, request.spanAt)
		} else if start, ok := present[spanAt{trace: run.trace}]; ok { // it arrives after the run
			link(start, difysemconv.AttrRequestTraceID, request.spanAt)
		}
		if span, ok := present[request.spanAt]; ok {
			link(span, difysemconv.AttrRunTraceID, run)
		}
	}
}

// requestOf returns the only request that can have started a task.
func requestOf(requests []requestEnd, task started) (found requestEnd, ok bool) {
	for _, request := range requests {
		wait := task.at.Sub(request.at)
		if request.process != task.process || wait < 0 || wait > maxStart {
			continue
		}
		if ok {
			return requestEnd{}, false
		}
		found, ok = request, true
	}
	return found, ok
}

// link does nothing if the span has a link already, from an earlier pass.
func link(span ptrace.Span, key string, to spanAt) {
	if attrs.Has(span.Attributes(), key) {
		return
	}
	span.Attributes().PutStr(key, to.trace.String())
	l := span.Links().AppendEmpty()
	l.SetTraceID(to.trace)
	l.SetSpanID(to.span)
}
