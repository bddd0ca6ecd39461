// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// router knows the destination of each route; nil is a route that is off.
type router struct {
	attributes []string // in the order of the rules, each once
	order      map[item.Route]int
	byKey      map[item.Route]*destination
	fallback   *destination
	all        []*destination // each once
	traces     traceRoutes
}

func newRouter(cfg *Config) (*router, error) {
	r := &router{order: map[item.Route]int{}, byKey: map[item.Route]*destination{}}
	byDSN := map[string]*destination{"": nil}
	resolve := func(dsn string) (*destination, error) {
		if d, ok := byDSN[dsn]; ok {
			return d, nil
		}
		t, err := parseDSN(dsn)
		if err != nil {
			return nil, err
		}
		d := &destination{target: t}
		byDSN[dsn] = d
		r.all = append(r.all, d)
		return d, nil
	}
	var err error
	if r.fallback, err = resolve(string(cfg.DSN)); err != nil {
		return nil, fmt.Errorf("dsn: %w", err)
	}
	if r.fallback != nil {
		r.fallback.project = "" // its queue keeps its name when the DSN changes
	}
	seen := map[string]bool{}
	for i, rule := range cfg.Routes {
		dest, err := resolve(string(rule.DSN))
		if err != nil {
			return nil, fmt.Errorf("routes[%d]::dsn: %w", i, err)
		}
		if !seen[rule.Attribute] {
			seen[rule.Attribute] = true
			r.attributes = append(r.attributes, rule.Attribute)
		}
		for _, v := range rule.Values {
			key := item.Route{Attribute: rule.Attribute, Value: v}
			r.byKey[key], r.order[key] = dest, i
		}
	}
	return r, nil
}

// destination of a key; nil if that is off. A key that no rule names any more goes where the rest goes.
func (r *router) destination(key item.Route) *destination {
	if d, ok := r.byKey[key]; ok {
		return d
	}
	return r.fallback
}

// find returns the first rule that one of these attribute maps matches. Earlier maps come first: what the resource says
// outweighs what a record says.
func (r *router) find(attrs ...pcommon.Map) item.Route {
	if len(r.attributes) == 0 {
		return item.Route{}
	}
	for _, m := range attrs {
		best, found := item.Route{}, false
		for _, name := range r.attributes {
			v, ok := m.Get(name)
			if !ok {
				continue
			}
			key := item.Route{Attribute: name, Value: v.AsString()}
			if at, ok := r.order[key]; ok && (!found || at < r.order[best]) {
				best, found = key, true
			}
		}
		if found {
			return best
		}
	}
	return item.Route{}
}

// off tells whether nothing can be sent at all.
func (cfg *Config) off() bool {
	if cfg.DSN != "" {
		return false
	}
	for _, r := range cfg.Routes {
		if r.DSN != "" {
			return false
		}
	}
	return true
}
