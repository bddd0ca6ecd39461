// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package route finds the rule by which telemetry goes to a project. It knows no projects and no DSNs.
package route

import (
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

const (
	// maxTraces bounds the traces whose route is remembered. Only their number does: they do not expire.
	maxTraces = 100_000
	traceTTL  = math.MaxInt64
)

// Rule matches telemetry by one attribute.
type Rule struct {
	Attribute string
	Values    []string
}

// Router finds the first of its rules that telemetry matches. It remembers the route of a trace, since Dify writes the
// tenant on some spans only: what comes later, or from another process, may not have the attribute. It is safe for
// concurrent use.
type Router struct {
	attributes []string           // in the order of the rules, each once
	order      map[item.Route]int // position of the rule

	mu sync.Mutex
	// traces is guarded by mu.
	traces *expiring.Map[pcommon.TraceID, item.Route]
}

// NewRouter returns a router for rules, the first of which that matches wins.
func NewRouter(rules []Rule) *Router {
	r := &Router{order: map[item.Route]int{}, traces: expiring.NewMap[pcommon.TraceID, item.Route](maxTraces, traceTTL)}
	seen := map[string]bool{}
	for i, rule := range rules {
		if !seen[rule.Attribute] {
			seen[rule.Attribute] = true
			r.attributes = append(r.attributes, rule.Attribute)
		}
		for _, v := range rule.Values {
			r.order[item.Route{Attribute: rule.Attribute, Value: v}] = i
		}
	}
	return r
}

// Find returns the route of the first of the attribute maps that matches a rule; the zero route if none does.
func (r *Router) Find(attrs ...pcommon.Map) item.Route {
	if len(r.attributes) == 0 {
		return item.Route{}
	}
	for _, m := range attrs {
		if route, ok := r.match(m); ok {
			return route
		}
	}
	return item.Route{}
}

func (r *Router) match(m pcommon.Map) (best item.Route, found bool) {
	for _, name := range r.attributes {
		v, ok := m.Get(name)
		if !ok {
			continue
		}
		route := item.Route{Attribute: name, Value: v.AsString()}
		if at, ok := r.order[route]; ok && (!found || at < r.order[best]) {
			best, found = route, true
		}
	}
	return best, found
}

// Remember stores the routes that a push learned, for later pushes of the same traces.
func (r *Router) Remember(learned *Lookup, now time.Time) {
	if len(learned.routes) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for trace, route := range learned.routes {
		r.traces.Set(trace, route, now)
	}
}

func (r *Router) ofTrace(trace pcommon.TraceID, now time.Time) item.Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	route, _ := r.traces.Peek(trace, now)
	return route
}

// Lookup finds the routes of one push. It changes nothing outside itself; Router.Remember stores what it learned.
type Lookup struct {
	router *Router
	now    time.Time
	routes map[pcommon.TraceID]item.Route // learned from the push
}

// Lookup returns a lookup for one push.
func (r *Router) Lookup(now time.Time) *Lookup { return &Lookup{router: r, now: now} }

// HasRules reports whether anything is routed at all.
func (l *Lookup) HasRules() bool { return len(l.router.attributes) > 0 }

// Find returns the route of what belongs to no trace, as Router.Find does.
func (l *Lookup) Find(attrs ...pcommon.Map) item.Route { return l.router.Find(attrs...) }

// FindInTrace returns the route of what belongs to a trace: by its resource, else by the attributes of spans or
// records, else by what earlier telemetry of the trace had.
func (l *Lookup) FindInTrace(trace pcommon.TraceID, resource pcommon.Map, attrs ...pcommon.Map) item.Route {
	if !l.HasRules() {
		return item.Route{}
	}
	if route := l.Find(resource); route != (item.Route{}) {
		return route
	}
	if route := l.Find(attrs...); route != (item.Route{}) {
		l.learn(trace, route)
		return route
	}
	if route, ok := l.routes[trace]; ok {
		return route
	}
	return l.router.ofTrace(trace, l.now)
}

func (l *Lookup) learn(trace pcommon.TraceID, route item.Route) {
	if trace.IsEmpty() {
		return
	}
	if l.routes == nil {
		l.routes = map[pcommon.TraceID]item.Route{}
	}
	l.routes[trace] = route
}
