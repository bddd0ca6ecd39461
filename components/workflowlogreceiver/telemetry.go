// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	attrOutcome = "outcome"
	attrResult  = "result"
	attrPart    = "part"
)

// The attribute sets of the receiver's own metrics, built once.
var (
	outcomeDelivered   = attribute.NewSet(attribute.String(attrOutcome, "delivered"))
	outcomeStuck       = attribute.NewSet(attribute.String(attrOutcome, "stuck"))
	outcomeWaiting     = attribute.NewSet(attribute.String(attrOutcome, "waiting"))
	outcomeUnknown     = attribute.NewSet(attribute.String(attrOutcome, "unknown"))
	outcomeTooOld      = attribute.NewSet(attribute.String(attrOutcome, "too_old"))
	outcomeRejected    = attribute.NewSet(attribute.String(attrOutcome, "rejected"))
	outcomeBeforeStart = attribute.NewSet(attribute.String(attrOutcome, "before_start"))
	resultOK           = attribute.NewSet(attribute.String(attrResult, "ok"))
	resultFailed       = attribute.NewSet(attribute.String(attrResult, "failed"))
)

// observePart records whether a part of what the receiver reads is read.
func observePart(ctx context.Context, telemetry *metadata.TelemetryBuilder, part source.Part, read bool) {
	value := int64(0)
	if read {
		value = 1
	}
	telemetry.WorkflowLogPart.Record(ctx, value, metric.WithAttributes(attribute.String(attrPart, string(part))))
}

// observeParts does so for all parts but those that are counted at intervals.
func observeParts(ctx context.Context, telemetry *metadata.TelemetryBuilder, schema *source.Schema) {
	for _, optional := range source.OptionalParts {
		if !slices.ContainsFunc(source.Counts, func(c source.Count) bool { return c.Part == optional.Part }) {
			observePart(ctx, telemetry, optional.Part, schema.Reads(optional.Part))
		}
	}
}

// countFromZero creates the counters before there is something to count: increase() ignores a counter's first value.
func countFromZero(ctx context.Context, telemetry *metadata.TelemetryBuilder) {
	for _, outcome := range []attribute.Set{
		outcomeDelivered, outcomeStuck, outcomeWaiting, outcomeUnknown, outcomeTooOld, outcomeRejected, outcomeBeforeStart,
	} {
		telemetry.WorkflowLogRuns.Add(ctx, 0, metric.WithAttributeSet(outcome))
	}
	for _, outcome := range []attribute.Set{outcomeDelivered, outcomeRejected} {
		telemetry.WorkflowLogMessages.Add(ctx, 0, metric.WithAttributeSet(outcome))
	}
	telemetry.WorkflowLogPolls.Add(ctx, 0, metric.WithAttributeSet(resultFailed))
}
