// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/store"
)

// telemetry records the extension's metrics.
type telemetry struct {
	*metadata.TelemetryBuilder
}

var _ deliver.Telemetry = telemetry{}

// Attribute sets, each built once.
var (
	outcomeOptions = options("outcome", deliver.Outcomes())
	reasonOptions  = options("reason", deliver.Reasons())
)

func options[T ~string](key string, values []T) map[T]metric.MeasurementOption {
	built := make(map[T]metric.MeasurementOption, len(values))
	for _, value := range values {
		built[value] = metric.WithAttributeSet(attribute.NewSet(attribute.String(key, string(value))))
	}
	return built
}

func newTelemetry(set component.TelemetrySettings) (telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	return telemetry{builder}, err
}

// countFromZero creates each series before there is something to count: a rate does not see the first value of a
// counter.
func (t telemetry) countFromZero(ctx context.Context) {
	for _, option := range outcomeOptions {
		t.OpensearchBulkItems.Add(ctx, 0, option)
	}
	for _, option := range reasonOptions {
		t.OpensearchBulkRetries.Add(ctx, 0, option)
	}
	t.Blocked(ctx, 0)
}

// observe registers the metrics of what is in storage.
func (t telemetry) observe(stored *store.Store) error {
	return errors.Join(
		t.RegisterOpensearchBulkStoredItemsCallback(func(_ context.Context, o metric.Int64Observer) error {
			items, _ := stored.Size()
			o.Observe(items)
			return nil
		}),
		t.RegisterOpensearchBulkStoredBytesCallback(func(_ context.Context, o metric.Int64Observer) error {
			_, bytes := stored.Size()
			o.Observe(bytes)
			return nil
		}),
	)
}

func (t telemetry) Requests(ctx context.Context) { t.OpensearchBulkRequests.Add(ctx, 1) }

func (t telemetry) Items(ctx context.Context, n int, outcome deliver.Outcome) {
	t.OpensearchBulkItems.Add(ctx, int64(n), outcomeOptions[outcome])
}

func (t telemetry) Retries(ctx context.Context, reason deliver.Reason) {
	t.OpensearchBulkRetries.Add(ctx, 1, reasonOptions[reason])
}

func (t telemetry) Blocked(ctx context.Context, change int) {
	t.OpensearchBulkBlockedRequests.Add(ctx, int64(change))
}

func (t telemetry) BlockDuration(ctx context.Context, d time.Duration) {
	t.OpensearchBulkBlockDuration.Record(ctx, d.Seconds())
}
