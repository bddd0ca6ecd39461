// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"math"
	"strconv"
)

// row compares what was emitted with what arrived.
type row struct {
	name    string
	brief   string // its name in the one-line form; empty: left out
	where   string
	emitted float64
	arrived float64
	digits  int
}

// equal allows for rounding errors of decimal fractions.
func (r row) equal() bool {
	return math.Abs(r.emitted-r.arrived) < 1e-6
}

func (r row) format(v float64) string {
	return strconv.FormatFloat(v, 'f', r.digits, 64)
}

// measured is what was read from the destinations at one time.
type measured struct {
	dify      []sample // Dify's metrics at the Prometheus exporter
	telemetry []sample // the collector's own metrics
	arrived
	events, transactions, sentrySpans int
	refusedBySentry                   int
	rejectedByOpenSearch              int
}

// measure reads every destination.
func (s *scene) measure(ctx context.Context) (*measured, error) {
	m := &measured{arrived: s.arrivals.counts()}
	var err, err2 error
	m.dify, err = scrape(ctx, s.collector.metricsURL)
	m.telemetry, err2 = scrape(ctx, s.collector.telemetryURL)
	c := s.backends.sentry.Counts()
	m.events, m.transactions, m.sentrySpans = c.Events, c.Transactions, c.Spans
	m.refusedBySentry = c.Refused + c.Invalid
	m.rejectedByOpenSearch = s.backends.openSearch.Counts().Rejected
	return m, errors.Join(err, err2)
}

// Series, as the Prometheus exporter names Dify's metrics.
const (
	seriesRequests = "http_server_duration_milliseconds_count"
	seriesErrors   = "http_server_error_count_total"
	seriesRuns     = "app_workflow_run_total"
	seriesTokens   = "app_llm_token_usage_total" //nolint:gosec // a metric's name
	seriesCost     = "app_llm_cost_total"
	seriesQueue    = "celery_queue_length"
	seriesDropped  = "otelcol_dify_filter_dropped_items_total"
)

// table returns the rows that the screen shows and that decide the result.
func (s *scene) table(m *measured) []row {
	e := s.player.expected()
	prometheus := func(name, series string, labels map[string]string, emitted float64) row {
		return row{name: name, where: "Prometheus", emitted: emitted, arrived: sumOf(m.dify, series, labels)}
	}
	rows := []row{
		prometheus("requests", seriesRequests, nil, float64(e.Requests)).as("requests"),
		prometheus("requests with errors", seriesErrors, nil, float64(e.Errors)),
	}
	for _, status := range []string{"succeeded", "failed", "partial-succeeded", "stopped"} {
		rows = append(
			rows, prometheus("runs "+status, seriesRuns, map[string]string{statusLabel: status}, float64(e.Runs[status])),
		)
	}
	cost := prometheus("model cost, USD", seriesCost, nil, float64(e.Price)/1e7)
	cost.digits = 4
	noise := 0.0
	for rule := range e.Noise {
		noise += sumOf(m.telemetry, seriesDropped, map[string]string{"rule": rule})
	}
	return append(rows,
		prometheus("model tokens", seriesTokens, nil, float64(e.Tokens)),
		cost,
		prometheus("tasks waiting", seriesQueue, nil, float64(s.queues.waiting())).as("waiting"),
		count("runs, in their workspace", "OpenSearch", e.Ended(), m.recorded).as("runs"),
		count("runs found in a trace", "OpenSearch", e.Ended(), m.traced),
		count("spans", "OpenSearch", e.Spans, m.spans).as("spans"),
		count("other documents", "OpenSearch", 0, m.strays+m.rejectedByOpenSearch),
		count("spans below a request or task", "Sentry", e.Spans-e.ClientRoots, m.transactions+m.sentrySpans),
		count("failures, one event each", "Sentry", e.Exceptions+e.WithoutException, m.events).as("failures"),
		count("rejected by Sentry's rules", "Sentry", 0, m.refusedBySentry),
		row{name: "noise dropped", brief: "noise", where: "collector", emitted: float64(e.NoiseItems()), arrived: noise},
		count("rejected exports", "collector", 0, s.player.refused()),
		count("items with confidential text", "all", 0, m.leaks),
	)
}

// statusLabel is the label with a run's status on app.workflow.run.total.
const statusLabel = "dify_workflow_run_status"

func count(name, where string, emitted, arrived int) row {
	return row{name: name, where: where, emitted: float64(emitted), arrived: float64(arrived)}
}

func (r row) as(brief string) row {
	r.brief = brief
	return r
}

// unequal returns the rows that differ.
func unequal(rows []row) []row {
	var out []row
	for _, r := range rows {
		if !r.equal() {
			out = append(out, r)
		}
	}
	return out
}
