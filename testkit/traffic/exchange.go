// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// Confidential is part of everything that no destination may ever receive: prompts, answers, documents, literals in
// SQL, queries of URLs, and an API key.
const Confidential = "cnfdntl7d1f"

// Exchange is an event in Dify, usually a request, with everything that follows from it.
type Exchange struct {
	Start, End time.Time
	Spans      []*Batch  // one per process that took part
	Requests   []Counted // for the meters of the processes that responded
	Run        *Run      // nil if no workflow ran
	Task       string    // the Celery queue of the task, if there was one
	Expected   Expected
}

// Counted is a request and the process whose Meter it is for.
type Counted struct {
	Process *Process
	Request Request
}

// Measure counts the exchange's requests in the meters of their processes.
func (e *Exchange) Measure() {
	for _, c := range e.Requests {
		c.Process.Meter.Observe(c.Request)
	}
}

// exchange is an Exchange that is being generated.
type exchange struct {
	*tracer
	out *Exchange
}

func newExchange(r random, start time.Time) *exchange {
	return &exchange{tracer: newTracer(r, start), out: &Exchange{Start: start}}
}

// noise records that a rule of dify_filter drops n items, of which spans are whole spans.
func (x *exchange) noise(rule string, items, spans int) {
	x.out.Expected.Noise = sum(x.out.Expected.Noise, map[string]int{rule: items})
	x.out.Expected.Spans -= spans
}

// exceptions records how many distinct failures Sentry should receive.
func (x *exchange) exceptions(n int) {
	x.out.Expected.Exceptions += n
}

func (x *exchange) finish() *Exchange {
	x.out.End = x.now
	x.out.Spans = x.batches
	x.out.Expected.Spans += x.spans
	if x.out.Run != nil {
		run := x.out.Run
		x.out.Expected.Runs = map[string]int{run.Outcome.Status: 1}
		x.out.Expected.Tokens += run.Outcome.TotalTokens
		x.out.Expected.Price += run.price
	}
	return x.out
}

// Ended statuses.
const (
	succeeded        = "succeeded"
	failedRun        = "failed"
	partialSucceeded = "partial-succeeded"
	stopped          = "stopped"
)

// Run is a run's rows, as they are inserted when it starts and as they are updated when it ends.
type Run struct {
	Run       schema.Run
	Log       *schema.AppLog // nil for chatflows
	Nodes     []Node
	Message   *schema.Message // chatflows only
	Reply     schema.Reply
	Outcome   schema.Outcome
	App       string // name of the app
	Workspace string // name of the workspace
	price     int64
}

// Node is a node execution's row.
type Node struct {
	Start schema.Node
	End   schema.NodeOutcome
}
