// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"maps"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
)

// Waiting are the runs that wait, by the reason of their pause. The zero Waiting has none.
type Waiting struct {
	runs   map[string]waitingRuns
	at     time.Time // by the database's clock
	change time.Time // when they were last reported as changed
}

type waitingRuns struct {
	count  int64
	oldest time.Time
}

// Set sets the runs that wait now. It reports whether the metrics have changed: while a run waits, its age does, which
// is reported once per interval.
func (w *Waiting) Set(runs []outcome.Waiting, now time.Time, interval time.Duration) bool {
	byReason := map[string]waitingRuns{outcome.PauseReasons[0]: {}} // a series with 0
	for reason := range w.runs {
		byReason[reason] = waitingRuns{}
	}
	for _, run := range runs {
		reason := outcome.PauseLabel(run.Reason)
		of := byReason[reason]
		if of.count == 0 || run.Since.Before(of.oldest) {
			of.oldest = run.Since
		}
		of.count++
		byReason[reason] = of
	}
	changed := !maps.Equal(byReason, w.runs) || len(runs) > 0 && now.Sub(w.change) >= interval
	w.runs, w.at = byReason, now
	if changed {
		w.change = now
	}
	return changed
}

// AppendTo adds the metrics to those of the runs, in the scope that all share.
func (w *Waiting) AppendTo(md pmetric.Metrics) {
	if w.runs == nil {
		return
	}
	metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	count := newGauge(metrics, difysemconv.MetricRunWaiting, "Paused workflow runs. Most wait for a person.", "{run}")
	age := newGauge(metrics, difysemconv.MetricRunWaitingAge, "How long the oldest paused workflow run has waited.", "s")
	for reason, runs := range w.runs {
		point := count.AppendEmpty()
		point.Attributes().PutStr(difysemconv.AttrPauseReason, reason)
		point.SetIntValue(runs.count)
		point = age.AppendEmpty()
		point.Attributes().PutStr(difysemconv.AttrPauseReason, reason)
		point.SetDoubleValue(0)
		if runs.count > 0 {
			point.SetDoubleValue(max(0, w.at.Sub(runs.oldest).Seconds()))
		}
	}
}

func newGauge(metrics pmetric.MetricSlice, name, description, unit string) pmetric.NumberDataPointSlice {
	metric := metrics.AppendEmpty()
	metric.SetName(name)
	metric.SetDescription(description)
	metric.SetUnit(unit)
	return metric.SetEmptyGauge().DataPoints()
}
