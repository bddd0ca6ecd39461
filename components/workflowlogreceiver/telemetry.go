// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
)

const (
	attrOutcome = "outcome"
	attrResult  = "result"
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
