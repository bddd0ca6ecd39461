// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"

// reason is why a part of a text was cut.
type reason = tally.Reason

const (
	ruleShape     = tally.ReasonShape
	ruleAnnounced = tally.ReasonSecret
	ruleMessage   = tally.ReasonMessage
	ruleQuery     = tally.ReasonQuery
	ruleSQL       = tally.ReasonSQL
	ruleURL       = tally.ReasonURL
	rulePattern   = tally.ReasonPattern
)
