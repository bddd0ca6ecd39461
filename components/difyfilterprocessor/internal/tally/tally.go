// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package tally counts what the processor does to one batch, and has the name of every built-in rule, item kind and
// redaction reason: the attribute values of the processor's own metrics.
package tally

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
)

// Values of the attribute `kind` of the processor's own metrics.
const (
	KindSpan      = "span"
	KindEvent     = "span_event"
	KindLogRecord = "log_record"
	KindDataPoint = "data_point"
)

type droppedBy struct{ rule, kind string }

// Tally has the counts of one batch. The zero Tally is empty. It is not safe for concurrent use.
type Tally struct {
	dropped  map[droppedBy]int64
	redacted [Reasons][Places]int64
	changes  int64 // sum of redacted
	removed  map[string]int64
	derived  int64
	limited  [limits]int64

	contradictions int64
}

// Drop counts n items of a kind that a rule dropped.
func (t *Tally) Drop(rule, kind string, n int) {
	if n == 0 {
		return
	}
	if t.dropped == nil {
		t.dropped = map[droppedBy]int64{}
	}
	t.dropped[droppedBy{rule, kind}] += int64(n)
}

// Redact counts one value that redaction changed or removed, or would with redaction::mode: audit.
func (t *Tally) Redact(reason Reason, place Place) {
	t.redacted[reason][place]++
	t.changes++
}

// Redacted returns the number of values that redaction changed or removed.
func (t *Tally) Redacted() int64 { return t.changes }

// Derive counts n data points that the processor added.
func (t *Tally) Derive(n int) { t.derived += int64(n) }

// Contradict counts n spans that claim an app for another tenant.
func (t *Tally) Contradict(n int) { t.contradictions += int64(n) }

// Report adds the counts to the processor's own metrics. It is called once, at the end of the batch.
func (t *Tally) Report(ctx context.Context, telemetry *metadata.TelemetryBuilder) {
	for by, n := range t.dropped {
		telemetry.DifyFilterDroppedItems.Add(ctx, n, metric.WithAttributes(
			attribute.String("rule", by.rule), attribute.String("kind", by.kind)))
	}
	for l, n := range t.limited {
		if n > 0 {
			telemetry.DifyFilterLimitedValues.Add(ctx, n, limitedOptions[l])
		}
	}
	if t.contradictions > 0 {
		telemetry.DifyFilterContradictoryTenants.Add(ctx, t.contradictions)
	}
	t.reportRedaction(ctx, telemetry)
	if t.derived > 0 {
		telemetry.DifyFilterDerivedDataPoints.Add(ctx, t.derived)
	}
}

var limitedOptions = func() (options [limits]metric.MeasurementOption) {
	for l, name := range limitNames {
		options[l] = metric.WithAttributeSet(attribute.NewSet(attribute.String("limit", name)))
	}
	return options
}()
