// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// reported are the names of reasons in client reports. Other reasons are not reported: the server counted the item
// itself, there is no destination, or nothing was lost.
var reported = map[item.Reason]string{
	item.ReasonBufferFull:   "buffer_overflow",
	item.ReasonEventFilter:  "event_processor",
	item.ReasonIgnored:      "event_processor", // servers before 2025 do not know "ignored"
	item.ReasonHandled:      "event_processor",
	item.ReasonTracing:      "event_processor",
	item.ReasonClientRoot:   "event_processor",
	item.ReasonInternal:     "internal_sdk_error",
	item.ReasonNetworkError: "network_error",
	item.ReasonQueueFull:    "queue_overflow",
	item.ReasonBackoff:      "ratelimit_backoff",
	item.ReasonSampled:      "sample_rate",
	item.ReasonSendError:    "send_error",
	item.ReasonTooLarge:     "send_error",
	item.ReasonTooOld:       "event_processor",
}

// losses are the reasons that mean lost data.
var losses = []item.Reason{
	item.ReasonBufferFull, item.ReasonInternal, item.ReasonNetworkError, item.ReasonQueueFull, item.ReasonRateLimited,
	item.ReasonBackoff, item.ReasonSendError, item.ReasonTooLarge,
}

// Counters count what was sent and what was discarded, for the collector's metrics and for client reports.
type Counters struct {
	telemetry    *metadata.TelemetryBuilder
	destinations *Destinations
	reports      bool
}

// NewCounters returns counters. With reports, discards are reported to the destination as well.
func NewCounters(telemetry *metadata.TelemetryBuilder, destinations *Destinations, reports bool) *Counters {
	return &Counters{telemetry: telemetry, destinations: destinations, reports: reports}
}

// InitLosses creates the series of all losses with the value 0: a rate does not include the first value of a new
// series.
func (c *Counters) InitLosses(ctx context.Context) {
	for _, category := range []protocol.Category{
		protocol.CategoryError, protocol.CategoryTransaction, protocol.CategorySpan, protocol.CategoryLogItem,
	} {
		for _, reason := range losses {
			c.addDiscarded(ctx, category, reason, 0)
		}
	}
}

// Sent counts an item that Sentry accepted.
func (c *Counters) Sent(ctx context.Context, it *item.Item) {
	for category, n := range it.Quantities() {
		if category != protocol.CategoryLogByte {
			c.telemetry.ExporterSentrySent.Add(ctx, n, metric.WithAttributes(attribute.String("category", string(category))))
		}
	}
}

// DiscardedItems counts items that are not sent.
func (c *Counters) DiscardedItems(ctx context.Context, reason item.Reason, items ...*item.Item) {
	for _, it := range items {
		for category, n := range it.Quantities() {
			c.discarded(ctx, reason, it.Route, category, n)
		}
	}
}

// Discarded counts data that did not become an item.
func (c *Counters) Discarded(ctx context.Context, discards ...item.Discard) {
	for _, d := range discards {
		c.discarded(ctx, d.Reason, d.Route, d.Category, int64(d.Quantity))
	}
}

func (c *Counters) discarded(
	ctx context.Context,
	reason item.Reason,
	route item.Route,
	category protocol.Category,
	n int64,
) {
	if category != protocol.CategoryLogByte {
		c.addDiscarded(ctx, category, reason, n)
	}
	name, ok := reported[reason]
	dest := c.destinations.Of(route)
	if !ok || dest == nil || !c.reports {
		return
	}
	dest.reports.Add(protocol.Discard{Reason: name, Category: category}, n)
}

func (c *Counters) addDiscarded(ctx context.Context, category protocol.Category, reason item.Reason, n int64) {
	c.telemetry.ExporterSentryDiscarded.Add(ctx, n, metric.WithAttributes(
		attribute.String("category", string(category)), attribute.String("reason", string(reason))))
}
