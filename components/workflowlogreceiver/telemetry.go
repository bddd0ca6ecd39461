// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"go.opentelemetry.io/otel/attribute"
)

const (
	attrOutcome = "outcome"
	attrResult  = "result"
)

// The attribute sets of the receiver's own metrics, built once.
var (
	outcomeDelivered   = attribute.NewSet(attribute.String(attrOutcome, "delivered"))
	outcomeStuck       = attribute.NewSet(attribute.String(attrOutcome, "stuck"))
	outcomeUnknown     = attribute.NewSet(attribute.String(attrOutcome, "unknown"))
	outcomeTooOld      = attribute.NewSet(attribute.String(attrOutcome, "too_old"))
	outcomeRejected    = attribute.NewSet(attribute.String(attrOutcome, "rejected"))
	outcomeBeforeStart = attribute.NewSet(attribute.String(attrOutcome, "before_start"))
	resultOK           = attribute.NewSet(attribute.String(attrResult, "ok"))
	resultFailed       = attribute.NewSet(attribute.String(attrResult, "failed"))
)
