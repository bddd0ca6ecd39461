// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// reason why something is not sent: the value of the metric's attribute, and Sentry's word where it has one.
type reason string

const (
	reasonBufferFull    reason = "buffer_overflow"    // waited for its root at a shutdown that had no more time
	reasonDuplicate     reason = "duplicate"          // told before
	reasonEventFilter   reason = "event_processor"    // Langfuse's default answer
	reasonIgnored       reason = "ignored"            // ignore_errors
	reasonInternal      reason = "internal_sdk_error" // could not be encoded
	reasonNetworkError  reason = "network_error"      // given up after connection errors
	reasonOff           reason = "off"                // a route without DSN, or none that matches
	reasonQueueFull     reason = "queue_overflow"     // no room in the queue
	reasonRateLimited   reason = "rate_limited"       // refused with 429: the server counts it
	reasonBackoff       reason = "ratelimit_backoff"  // not tried, because of a limit
	reasonRunSuperseded reason = "run_superseded"     // an exception of the failed run was told
	reasonSampled       reason = "sample_rate"        // traces_sample_rate
	reasonSendError     reason = "send_error"         // refused, or given up after 5xx
	reasonTooLarge      reason = "too_large"          // 413
	reasonTooOld        reason = "too_old"            // max_age
)

// reported is how a reason is called in a client report. What is not here is not reported: the server counted it, there
// is no destination, or nothing was lost.
var reported = map[reason]string{
	reasonBufferFull:   "buffer_overflow",
	reasonEventFilter:  "event_processor",
	reasonIgnored:      "event_processor", // "ignored" is not known to servers before 2025
	reasonInternal:     "internal_sdk_error",
	reasonNetworkError: "network_error",
	reasonQueueFull:    "queue_overflow",
	reasonBackoff:      "ratelimit_backoff",
	reasonSampled:      "sample_rate",
	reasonSendError:    "send_error",
	reasonTooLarge:     "send_error",
	reasonTooOld:       "event_processor",
}

// counters count what was sent and what was not, for the collector's metrics and for the server.
type counters struct {
	telemetry *metadata.TelemetryBuilder
	router    *router
	reports   bool
}

// losses are the reasons that an operator must hear of.
var losses = []reason{
	reasonBufferFull, reasonInternal, reasonNetworkError, reasonQueueFull, reasonRateLimited, reasonBackoff, reasonSendError, reasonTooLarge,
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

func (c *counters) sent(ctx context.Context, it *item) {
	for category, n := range it.quantities() {
		if category != protocol.CategoryLogByte {
			c.telemetry.ExporterSentrySent.Add(ctx, n, metric.WithAttributes(attribute.String("category", string(category))))
		}
	}
}

func (c *counters) discarded(ctx context.Context, why reason, items ...*item) {
	for _, it := range items {
		for category, n := range it.quantities() {
			c.discard(ctx, why, it.Route, category, n)
		}
	}
}

// discard counts what never became an item.
func (c *counters) discard(ctx context.Context, why reason, route routeKey, category protocol.Category, n int64) {
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
