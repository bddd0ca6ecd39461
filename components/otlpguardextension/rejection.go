// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/admission"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/scan"
)

// logInterval is the shortest time between two log messages for the same reason.
const logInterval = time.Minute

// rejection is why a request is not accepted. It contains nothing of the request.
type rejection struct {
	reason  string // of the metric
	message string
	http    int
	grpc    codes.Code // not RESOURCE_EXHAUSTED, after which Dify's SDK sends the request again
}

func (r *rejection) status() *status.Status { return status.New(r.grpc, r.message) }

// retryable reports whether the client should send the request again.
func (r *rejection) retryable() bool { return r.http == http.StatusServiceUnavailable }

func permanent(reason, message string, httpStatus int) *rejection {
	return &rejection{reason, message, httpStatus, codes.InvalidArgument}
}

// retryable rejections are not answered 429, after which Dify's SDK does not send the request again.
func retryable(reason, message string) *rejection {
	return &rejection{reason, message + "; send the request again", http.StatusServiceUnavailable, codes.Unavailable}
}

var (
	malformed   = permanent("malformed", "the request is not valid OTLP", http.StatusBadRequest)
	unreadable  = permanent("unreadable", "the body could not be read to its end", http.StatusBadRequest)
	bodyTooLong = permanent("body_size", "the body is larger than the receiver's limit",
		http.StatusRequestEntityTooLarge)
	tooDeep = permanent("depth", "maps and lists are nested deeper than `max_depth` of otlp_guard allows",
		http.StatusRequestEntityTooLarge)
	tooManyItems = permanent("items", "more spans, data points or log records than `max_items` of otlp_guard allows",
		http.StatusRequestEntityTooLarge)
	tooManyAttributes = permanent("attributes", "more attributes than `max_attributes` of otlp_guard allows",
		http.StatusRequestEntityTooLarge)
	tooLarge = permanent("request_memory", "the request needs more than `max_request_memory_mib` of otlp_guard",
		http.StatusRequestEntityTooLarge)

	unsupported = permanent("unsupported", "otlp_guard does not know this path or message", http.StatusNotFound)

	noMemory = retryable("total_memory", "other requests need all of `max_total_memory_mib` of otlp_guard")
	tooBusy  = retryable("busy", "too many requests are being received")
	tooSlow  = retryable("slow", "the request was received too slowly while others were waiting")
	tooLate  = retryable("shutdown", "the collector stops before the request has arrived")

	rejections = []*rejection{
		malformed, unreadable, bodyTooLong, tooDeep, tooManyItems, tooManyAttributes, tooLarge, unsupported,
		noMemory, tooBusy, tooSlow, tooLate,
	}
)

// rejectionOf translates an error.
func rejectionOf(err error) *rejection {
	var tooLong *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, scan.ErrDepth):
		return tooDeep
	case errors.Is(err, scan.ErrItems):
		return tooManyItems
	case errors.Is(err, scan.ErrAttributes):
		return tooManyAttributes
	case errors.Is(err, scan.ErrMemory):
		return tooLarge
	case errors.Is(err, scan.ErrMalformed):
		return malformed
	case errors.Is(err, admission.ErrBusy):
		return tooBusy
	case errors.Is(err, errNoMemory):
		return noMemory
	case errors.Is(err, errEvicted):
		return tooSlow
	case errors.Is(err, errStopping):
		return tooLate
	case errors.As(err, &tooLong):
		return bodyTooLong
	default:
		return unreadable
	}
}

var (
	errNoMemory = errors.New("no memory is free")
	errEvicted  = errors.New("another request needed the slot")
)

// The attribute `signal`. Over gRPC the signal of a request that was not received to its end is not known.
var signalNames = map[scan.Signal]string{
	scan.Traces: "traces", scan.Metrics: "metrics", scan.Logs: "logs", unknownSignal: "unknown",
}

const unknownSignal scan.Signal = -1

// counter counts and logs the requests that were not accepted.
type counter struct {
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	throttles map[*rejection]*logthrottle.Interval
}

func newCounter(telemetry *metadata.TelemetryBuilder, logger *zap.Logger) *counter {
	c := &counter{telemetry: telemetry, logger: logger, throttles: map[*rejection]*logthrottle.Interval{}}
	for _, r := range rejections {
		c.throttles[r] = &logthrottle.Interval{Every: logInterval}
	}
	return c
}

// startFromZero lets the series exist before there is something to count: a rate does not see a counter's first value.
func (c *counter) startFromZero(ctx context.Context) {
	for s := range signalNames {
		for _, r := range rejections {
			c.add(ctx, 0, s, r)
		}
	}
}

func (c *counter) add(ctx context.Context, n int64, s scan.Signal, r *rejection) {
	c.telemetry.OtlpGuardRejectedRequests.Add(ctx, n, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("reason", r.reason), attribute.String("signal", signalNames[s]))))
}

// rejected counts a request. It logs the first one of a reason, and then one per interval.
func (c *counter) rejected(ctx context.Context, s scan.Signal, r *rejection) {
	c.add(ctx, 1, s, r)
	if events, log := c.throttles[r].Next(time.Now()); log {
		c.logger.Warn("OTLP request rejected",
			zap.String("reason", r.reason), zap.String("signal", signalNames[s]), zap.String("message", r.message),
			zap.Bool("retryable", r.retryable()), zap.Int("requests_since_last_message", events))
	}
}
