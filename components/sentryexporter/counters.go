// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// reported is how a reason is called in a client report. What is not here is not reported: the server counted it, there
// is no destination, or nothing was lost.
var reported = map[item.Reason]string{
	item.ReasonBufferFull:   "buffer_overflow",
	item.ReasonEventFilter:  "event_processor",
	item.ReasonIgnored:      "event_processor", // "ignored" is not known to servers before 2025
	item.ReasonInternal:     "internal_sdk_error",
	item.ReasonNetworkError: "network_error",
	item.ReasonQueueFull:    "queue_overflow",
	item.ReasonBackoff:      "ratelimit_backoff",
	item.ReasonSampled:      "sample_rate",
	item.ReasonSendError:    "send_error",
	item.ReasonTooLarge:     "send_error",
	item.ReasonTooOld:       "event_processor",
}

// counters count what was sent and what was not, for the collector's metrics and for the server.
type counters struct {
	telemetry *metadata.TelemetryBuilder
	router    *router
	reports   bool
}

// losses are the reasons that an operator must hear of.
var losses = []item.Reason{
	item.ReasonBufferFull, item.ReasonInternal, item.ReasonNetworkError, item.ReasonQueueFull, item.ReasonRateLimited, item.ReasonBackoff, item.ReasonSendError, item.ReasonTooLarge,
}

// fromZero lets the series of losses appear before there are any: a rate does not see what a counter begins with.
func (c *counters) fromZero(ctx context.Context) {
	for _, category := range []protocol.Category{
		protocol.CategoryError, protocol.CategoryTransaction, protocol.CategorySpan, protocol.CategoryLogItem,
	} {
		for _, why := range losses {
			c.telemetry.ExporterSentryDiscarded.Add(ctx, 0, metric.WithAttributes(
				attribute.String("category", string(category)), attribute.String("reason", string(why))))
		}
	}
}

func (c *counters) sent(ctx context.Context, it *item.Item) {
	for category, n := range it.Quantities() {
		if category != protocol.CategoryLogByte {
			c.telemetry.ExporterSentrySent.Add(ctx, n, metric.WithAttributes(attribute.String("category", string(category))))
		}
	}
}

func (c *counters) discarded(ctx context.Context, why item.Reason, items ...*item.Item) {
	for _, it := range items {
		for category, n := range it.Quantities() {
			c.discard(ctx, why, it.Route, category, n)
		}
	}
}

// discard counts what never became an item.
func (c *counters) discard(ctx context.Context, why item.Reason, route item.Route, category protocol.Category, n int64) {
	if category != protocol.CategoryLogByte {
		c.telemetry.ExporterSentryDiscarded.Add(ctx, n, metric.WithAttributes(
			attribute.String("category", string(category)), attribute.String("reason", string(why))))
	}
	name, ok := reported[why]
	dest := c.router.destination(route)
	if !ok || dest == nil || !c.reports {
		return
	}
	dest.reports.Add(protocol.Discard{Reason: name, Category: category}, n)
}
