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

// The attribute sets of the receiver's own metrics, made once.
var (
	outcomeTold        = attribute.NewSet(attribute.String(attrOutcome, "told"))
	outcomeStuck       = attribute.NewSet(attribute.String(attrOutcome, "stuck"))
	outcomeUnknown     = attribute.NewSet(attribute.String(attrOutcome, "unknown"))
	outcomeTooOld      = attribute.NewSet(attribute.String(attrOutcome, "too_old"))
	outcomeRefused     = attribute.NewSet(attribute.String(attrOutcome, "refused"))
	outcomeBeforeStart = attribute.NewSet(attribute.String(attrOutcome, "before_start"))
	resultOK           = attribute.NewSet(attribute.String(attrResult, "ok"))
	resultFailed       = attribute.NewSet(attribute.String(attrResult, "failed"))
)
