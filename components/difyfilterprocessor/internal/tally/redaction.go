// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tally

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
)

// Reason is the rule by which redaction changed a value.
type Reason int

// Reasons: the values of the attribute `reason` of the processor's own metrics, in the order of reasonNames.
const (
	ReasonKey     Reason = iota // the key is known to have content, or is configured
	ReasonUnknown               // unknown content of Dify or of a GenAI library
	ReasonUser                  // the ID of a user
	ReasonSQL                   // literals of a statement
	ReasonQuery                 // the query of a URL
	ReasonURL                   // the login or the code of a URL
	ReasonMessage               // content that a message quotes
	ReasonSecret                // a secret by the name before it, or by its key
	ReasonShape                 // a secret by its shape
	ReasonPattern               // a pattern of the operator
	ReasonNumber                // a number that JSON can't represent
	Reasons
)

var reasonNames = [Reasons]string{
	"key", "unknown", "user", "sql", "query", "url", "message", "secret", "shape", "pattern", "number",
}

func (r Reason) String() string { return reasonNames[r] }

// Place is where redaction changed a value.
type Place int

// Places: the values of the attribute `place` of the processor's own metrics, in the order of placeNames.
const (
	PlaceResource Place = iota
	PlaceScope
	PlaceSchemaURL
	PlaceName
	PlaceSpan
	PlaceStatus
	PlaceTraceState
	PlaceEvent
	PlaceLink
	PlaceRecord
	PlaceBody
	PlaceSeverity
	PlaceMetric
	PlacePoint
	PlaceExemplar
	Places
)

var placeNames = [Places]string{
	"resource", "scope", "schema_url", "name", "span", "status", "trace_state", "span_event", "link", "log_record",
	"body", "severity", "metric", "data_point", "exemplar",
}

func (p Place) String() string { return placeNames[p] }

// RemoveKey counts one attribute that redaction removed as unknown content, by its key.
func (t *Tally) RemoveKey(reason Reason, key string) {
	if reason != ReasonUnknown {
		return
	}
	if t.removed == nil {
		t.removed = map[string]int64{}
	}
	t.removed[key]++
}

func (t *Tally) reportRedaction(ctx context.Context, telemetry *metadata.TelemetryBuilder) {
	if t.changes == 0 {
		return
	}
	for r := range Reasons {
		for p := range Places {
			if n := t.redacted[r][p]; n > 0 {
				telemetry.DifyFilterRedactedValues.Add(ctx, n, redactedOptions[r][p])
			}
		}
	}
	for key, n := range t.removed {
		telemetry.DifyFilterRemovedUnknownAttributes.Add(ctx, n, metric.WithAttributes(
			attribute.String("key", removedKeys.label(key))))
	}
}

var redactedOptions = func() (options [Reasons][Places]metric.MeasurementOption) {
	for r, reason := range reasonNames {
		for p, place := range placeNames {
			options[r][p] = metric.WithAttributeSet(attribute.NewSet(
				attribute.String("reason", reason), attribute.String("place", place)))
		}
	}
	return options
}()
