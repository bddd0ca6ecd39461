// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
)

// outcome is what became of a document; a value of the attribute `outcome`.
type outcome string

const (
	outcomeDelivered        outcome = "delivered"
	outcomeDuplicate        outcome = "duplicate"
	outcomeDeadLetter       outcome = "dead_letter"
	outcomeDeadLetterStored outcome = "dead_letter_stored"
	outcomeStored           outcome = "stored"
)

var outcomeOptions = options("outcome",
	outcomeDelivered, outcomeDuplicate, outcomeDeadLetter, outcomeDeadLetterStored, outcomeStored)

func (o outcome) option() metric.MeasurementOption { return outcomeOptions[o] }

// reason is why a request is sent again; a value of the attribute `reason`.
type reason string

const (
	reasonUnreachable reason = "unreachable"
	reasonTimeout     reason = "timeout"
	reasonThrottled   reason = "throttled"
	reasonRefused     reason = "refused"
	reasonNotJSON     reason = "not_json"
	reasonItems       reason = "items"
	reasonTooLarge    reason = "too_large"
	reasonBadRequest  reason = "bad_request"
	reasonStorage     reason = "storage"
	reasonSetup       reason = "setup"
)

var reasonOptions = options("reason", reasonUnreachable, reasonTimeout, reasonThrottled, reasonRefused,
	reasonNotJSON, reasonItems, reasonTooLarge, reasonBadRequest, reasonStorage, reasonSetup)

func (r reason) option() metric.MeasurementOption { return reasonOptions[r] }

// countFromZero lets the series appear before there is something to count: a rate does not see what a counter begins with.
func countFromZero(ctx context.Context, telemetry *metadata.TelemetryBuilder) {
	for _, option := range outcomeOptions {
		telemetry.OpensearchBulkItems.Add(ctx, 0, option)
	}
	for _, option := range reasonOptions {
		telemetry.OpensearchBulkRetries.Add(ctx, 0, option)
	}
	telemetry.OpensearchBulkHeldRequests.Add(ctx, 0)
}

// options builds each attribute set once.
func options[T ~string](key string, values ...T) map[T]metric.MeasurementOption {
	built := make(map[T]metric.MeasurementOption, len(values))
	for _, value := range values {
		built[value] = metric.WithAttributeSet(attribute.NewSet(attribute.String(key, string(value))))
	}
	return built
}
