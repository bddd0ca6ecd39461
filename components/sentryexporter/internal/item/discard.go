// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package item

import "github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"

// Route is the rule that an item matched; the zero Route is the default project. Queued items carry it instead of a
// DSN, so that no key gets into the storage and a changed configuration applies to what is queued.
type Route struct {
	Attribute string `json:"attribute,omitempty"`
	Value     string `json:"value,omitempty"`
}

// Reason is why data is not sent: the value of the metric's attribute, which is Sentry's own word where there is one.
type Reason string

// Reasons.
const (
	ReasonBufferFull    Reason = "buffer_overflow"    // more than a push may have; what was pending at a shutdown
	ReasonDuplicate     Reason = "duplicate"          // already sent
	ReasonEventFilter   Reason = "event_processor"    // the Langfuse client's default error; a process that ends
	ReasonHandled       Reason = "handled"            // a call's exception, when what is above it says more
	ReasonIgnored       Reason = "ignored"            // ignore_errors
	ReasonInternal      Reason = "internal_sdk_error" // could not be encoded
	ReasonNetworkError  Reason = "network_error"      // given up after connection errors
	ReasonOff           Reason = "off"                // a route without a DSN, or no DSN for what matches no route
	ReasonQueueFull     Reason = "queue_overflow"     // no room in the queue
	ReasonRateLimited   Reason = "rate_limited"       // rejected with 429: the server counts it
	ReasonBackoff       Reason = "ratelimit_backoff"  // not tried because of a rate limit
	ReasonRunSuperseded Reason = "run_superseded"     // an exception of the failed run was sent
	ReasonClientRoot    Reason = "client_root"        // client_roots: a call without a request, task or run
	ReasonTracing       Reason = "tracing_provider"   // a tracing provider of Dify failed
	ReasonSampled       Reason = "sample_rate"        // sample_rate or traces_sample_rate
	ReasonSendError     Reason = "send_error"         // rejected, or given up after 5xx
	ReasonTooLarge      Reason = "too_large"          // 413
	ReasonTooOld        Reason = "too_old"            // max_age
)

// Discard is a quantity of data that is not sent.
type Discard struct {
	Reason   Reason
	Route    Route
	Category protocol.Category
	Quantity int
}
