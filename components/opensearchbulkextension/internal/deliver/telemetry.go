// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"time"
)

// Telemetry receives what the package counts. It must be safe for concurrent use.
type Telemetry interface {
	// Requests counts a bulk request that is sent, each attempt once.
	Requests(ctx context.Context)
	// Items counts what became of documents.
	Items(ctx context.Context, n int, outcome Outcome)
	// Retries counts an attempt that has to be repeated.
	Retries(ctx context.Context, reason Reason)
	// Blocked counts a request that begins (1) or ends (-1) to be blocked.
	Blocked(ctx context.Context, change int)
	// BlockDuration records how long a request was blocked.
	BlockDuration(ctx context.Context, d time.Duration)
}

// Outcome is what became of a document.
type Outcome string

// Outcomes of a document.
const (
	OutcomeDelivered        Outcome = "delivered"
	OutcomeDuplicate        Outcome = "duplicate"
	OutcomeDeadLetter       Outcome = "dead_letter"
	OutcomeDeadLetterStored Outcome = "dead_letter_stored"
	OutcomeStored           Outcome = "stored"
	OutcomeDeferred         Outcome = "deferred"
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeDelivered, OutcomeDuplicate, OutcomeDeadLetter, OutcomeDeadLetterStored, OutcomeStored, OutcomeDeferred,
	}
}

// Reason is why an attempt has to be repeated.
type Reason string

// Reasons for a retry.
const (
	ReasonUnreachable Reason = "unreachable"
	ReasonTimeout     Reason = "timeout"
	ReasonThrottled   Reason = "throttled"
	ReasonRefused     Reason = "refused"
	ReasonNotJSON     Reason = "not_json"
	ReasonItems       Reason = "items"
	ReasonTooLarge    Reason = "too_large"
	ReasonBadRequest  Reason = "bad_request"
	ReasonStorage     Reason = "storage"
	ReasonSetup       Reason = "setup"
)

// Reasons returns all reasons.
func Reasons() []Reason {
	return []Reason{
		ReasonUnreachable, ReasonTimeout, ReasonThrottled, ReasonRefused, ReasonNotJSON,
		ReasonItems, ReasonTooLarge, ReasonBadRequest, ReasonStorage, ReasonSetup,
	}
}
