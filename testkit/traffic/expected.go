// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import "maps"

// Expected is what must be found at the destinations.
type Expected struct {
	Requests         int            // counted by http.server.duration
	Errors           int            // requests with status 400 and above
	Runs             map[string]int // ended runs by status, each one document
	Spans            int            // without noise, each one document
	ClientRoots      int            // spans of calls below no request or task, no transactions in Sentry
	Exceptions       int            // distinct failures, each one Sentry event
	WithoutException int            // failed runs without a recorded exception, each one Sentry event
	Tokens           int64
	Price            int64          // in 10^-7 of the currency, the precision of Dify's database
	Noise            map[string]int // spans and span events to be dropped, by the name of dify_filter's rule
}

// Add adds what is expected of another exchange.
func (e *Expected) Add(o Expected) {
	e.Requests += o.Requests
	e.Errors += o.Errors
	e.Spans += o.Spans
	e.ClientRoots += o.ClientRoots
	e.Exceptions += o.Exceptions
	e.WithoutException += o.WithoutException
	e.Tokens += o.Tokens
	e.Price += o.Price
	e.Runs = sum(e.Runs, o.Runs)
	e.Noise = sum(e.Noise, o.Noise)
}

// Clone returns a copy that shares nothing.
func (e *Expected) Clone() Expected {
	c := *e
	c.Runs, c.Noise = maps.Clone(e.Runs), maps.Clone(e.Noise)
	return c
}

// Ended returns the number of runs that ended.
func (e *Expected) Ended() int {
	return total(e.Runs)
}

// NoiseItems returns the number of spans and span events to be dropped.
func (e *Expected) NoiseItems() int {
	return total(e.Noise)
}

func sum(into, from map[string]int) map[string]int {
	if into == nil && len(from) > 0 {
		into = map[string]int{}
	}
	for k, n := range from {
		into[k] += n
	}
	return into
}

func total(m map[string]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}
