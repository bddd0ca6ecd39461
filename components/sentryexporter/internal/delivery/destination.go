// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"

	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// Destination is a project, with the rate limits that its server set and the discards not yet reported to it.
type Destination struct {
	DSN

	limits  protocol.RateLimits
	reports protocol.Reports
	logged  logthrottle.Once
}

// RouteDSN is the DSN of some routes; empty if what matches them is not sent.
type RouteDSN struct {
	Routes []item.Route
	DSN    string
}

// Destinations are the projects by route.
type Destinations struct {
	byRoute  map[item.Route]*Destination
	fallback *Destination
	all      []*Destination // each once
}

// NewDestinations returns the destinations of routes, and that of everything else. Equal DSNs share a destination.
func NewDestinations(fallback string, routes []RouteDSN) (*Destinations, error) {
	d := &Destinations{byRoute: map[item.Route]*Destination{}}
	byDSN := map[string]*Destination{"": nil}
	resolve := func(raw string) (*Destination, error) {
		if dest, ok := byDSN[raw]; ok {
			return dest, nil
		}
		dsn, err := ParseDSN(raw)
		if err != nil {
			return nil, err
		}
		dest := &Destination{DSN: dsn}
		byDSN[raw] = dest
		d.all = append(d.all, dest)
		return dest, nil
	}
	var err error
	if d.fallback, err = resolve(fallback); err != nil {
		return nil, fmt.Errorf("dsn: %w", err)
	}
	if d.fallback != nil {
		d.fallback.Project = "" // its queue keeps its name when the DSN changes
	}
	for i, r := range routes {
		dest, err := resolve(r.DSN)
		if err != nil {
			return nil, fmt.Errorf("routes[%d]::dsn: %w", i, err)
		}
		for _, route := range r.Routes {
			d.byRoute[route] = dest
		}
	}
	return d, nil
}

// Of returns the destination of a route; nil if what matches it is not sent. A route that is no longer configured leads
// to the default project.
func (d *Destinations) Of(route item.Route) *Destination {
	if dest, ok := d.byRoute[route]; ok {
		return dest
	}
	return d.fallback
}

// projects returns the names of all projects, each once.
func (d *Destinations) projects() []string {
	var out []string
	seen := map[string]bool{}
	for _, dest := range d.all {
		if !seen[dest.Project] { // another key of the same project
			seen[dest.Project] = true
			out = append(out, dest.Project)
		}
	}
	return out
}
