// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
)

// Values of the attribute `kind` of the processor's own metrics.
const (
	kindSpan      = "span"
	kindEvent     = "span_event"
	kindLogRecord = "log_record"
	kindDataPoint = "data_point"
)

// reason is why redaction changed a value.
type reason int

const (
	reasonKey reason = iota
	reasonSQL
	reasonQuery
	reasonMessage
	reasonSecret
	reasonNumber
	reasons
)

var reasonNames = [reasons]string{"key", "sql", "query", "message", "secret", "number"}

type droppedBy struct{ rule, kind string }

// tally counts within one batch. report adds the counts to the metrics once, at the end of the batch.
type tally struct {
	dropped  map[droppedBy]int64
	redacted [reasons]int64
	derived  int64
}

func (t *tally) drop(rule, kind string, n int) {
	if n == 0 {
		return
	}
	if t.dropped == nil {
		t.dropped = map[droppedBy]int64{}
	}
	t.dropped[droppedBy{rule, kind}] += int64(n)
}

func (t *tally) report(ctx context.Context, telemetry *metadata.TelemetryBuilder) {
	for by, n := range t.dropped {
		telemetry.DifyFilterDroppedItems.Add(ctx, n, metric.WithAttributes(
			attribute.String("rule", by.rule), attribute.String("kind", by.kind)))
	}
	for r, n := range t.redacted {
		if n > 0 {
			telemetry.DifyFilterRedactedValues.Add(ctx, n, redactedOptions[r])
		}
	}
	if t.derived > 0 {
		telemetry.DifyFilterDerivedDataPoints.Add(ctx, t.derived)
	}
}

var redactedOptions = func() (options [reasons]metric.MeasurementOption) {
	for r, name := range reasonNames {
		options[r] = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", name)))
	}
	return options
}()
