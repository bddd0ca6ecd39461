// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package backlog

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// gauges are the metrics of a part.
type gauges struct {
	part                    source.Part
	name, description, unit string
	statusKey, labelKey     string
	statuses                []string // the known ones, which have a series each
	labels                  []string // the known ones of the second label
	// age is the metric of the oldest row, or "", of the statuses in open.
	age, ageDescription string
	open                []string
}

var all = []gauges{
	{
		part: source.PartDocuments,
		name: difysemconv.MetricDocuments, description: "Documents of knowledge bases.", unit: "{document}",
		statusKey: difysemconv.AttrDocumentStatus,
		statuses: []string{
			"waiting", "parsing", "cleaning", "splitting", "indexing", "paused", "error", "completed",
		},
		age: difysemconv.MetricDocumentAge, ageDescription: "Age of the oldest document that is not completed.",
		open: []string{"waiting", "parsing", "cleaning", "splitting", "indexing", "paused", "error", outcome.Other},
	},
	{
		part: source.PartTriggerLogs,
		name: difysemconv.MetricTriggerLogs, description: "Logs of triggers that have not succeeded.", unit: "{trigger_log}",
		statusKey: difysemconv.AttrTriggerLogStatus,
		statuses:  []string{"pending", "queued", "running", "paused", "failed", "rate_limited", "retrying"},
		age:       difysemconv.MetricTriggerAge, ageDescription: "Age of the oldest log of a trigger that has not ended.",
		open: []string{"pending", "queued", "running", "paused", "retrying"},
	},
	{
		part: source.PartTriggers,
		name: difysemconv.MetricTriggers, description: "Triggers of apps.", unit: "{trigger}",
		statusKey: difysemconv.AttrTriggerStatus,
		statuses:  []string{"enabled", "disabled", "unauthorized", "rate_limited"},
	},
	{
		part: source.PartFeedback,
		name: difysemconv.MetricFeedback, description: "Ratings of messages.", unit: "{feedback}",
		statusKey: difysemconv.AttrFeedbackRating, labelKey: difysemconv.AttrFeedbackSource,
		statuses: []string{"like", "dislike"}, labels: []string{"user", "admin"},
	},
}

// AppendTo adds the metrics to those of the runs, in the scope that all share.
func (r *Reader) AppendTo(md pmetric.Metrics) {
	metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	for i := range all {
		if counts, ok := r.counts[all[i].part]; ok {
			all[i].appendTo(metrics, counts, r.at.Local)
		}
	}
}

// series identifies a point.
type series struct{ status, label string }

func (g *gauges) appendTo(metrics pmetric.MetricSlice, counts []source.StatusCount, now time.Time) {
	rows, oldest := map[series]int64{}, map[series]time.Time{}
	for _, status := range g.statuses {
		for _, label := range append(slices.Clone(g.labels), "")[:max(len(g.labels), 1)] {
			rows[series{status, label}] = 0
		}
	}
	for _, count := range counts {
		key := series{known(g.statuses, count.Status), ""}
		if g.labelKey != "" {
			key.label = known(g.labels, count.Label)
		}
		rows[key] += count.Rows
		if at := oldest[key]; !count.Oldest.IsZero() && (at.IsZero() || count.Oldest.Before(at)) {
			oldest[key] = count.Oldest
		}
	}
	points := newGauge(metrics, g.name, g.description, g.unit)
	for key, n := range rows {
		g.point(points, key).SetIntValue(n)
	}
	if g.age == "" {
		return
	}
	points = newGauge(metrics, g.age, g.ageDescription, "s")
	for key := range rows {
		if !slices.Contains(g.open, key.status) {
			continue
		}
		age := 0.0
		if at := oldest[key]; !at.IsZero() {
			age = max(0, now.Sub(at).Seconds())
		}
		g.point(points, key).SetDoubleValue(age)
	}
}

func (g *gauges) point(points pmetric.NumberDataPointSlice, key series) pmetric.NumberDataPoint {
	point := points.AppendEmpty()
	point.Attributes().PutStr(g.statusKey, key.status)
	if g.labelKey != "" {
		point.Attributes().PutStr(g.labelKey, key.label)
	}
	return point
}

func known(values []string, value string) string {
	if slices.Contains(values, value) {
		return value
	}
	return outcome.Other
}

func newGauge(metrics pmetric.MetricSlice, name, description, unit string) pmetric.NumberDataPointSlice {
	metric := metrics.AppendEmpty()
	metric.SetName(name)
	metric.SetDescription(description)
	metric.SetUnit(unit)
	return metric.SetEmptyGauge().DataPoints()
}
