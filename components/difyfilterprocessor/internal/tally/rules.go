// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tally

// Names of the built-in rules: values of the attribute `rule` of the processor's own metrics, and configuration keys.
const (
	RuleParseError           = "parse_error"
	RuleContextDetach        = "context_detach"
	RuleHealthCheck          = "health_check"
	RuleBrokerPolling        = "broker_polling"
	RuleNoScript             = "noscript"
	RuleSampledResponseCount = "sampled_response_count"
	// RuleMergedSeries is not a noise rule: it counts the points that were added to another when host labels were
	// removed.
	RuleMergedSeries = "merged_series"
	// RuleJoinedLine is not a noise rule: it counts the lines that were added to the record of the line before.
	RuleJoinedLine = "joined_line"
)

// BuiltinRules has the names of all built-in rules, which are reserved.
var BuiltinRules = []string{
	RuleParseError, RuleContextDetach, RuleHealthCheck, RuleBrokerPolling, RuleNoScript, RuleSampledResponseCount,
	RuleMergedSeries, RuleJoinedLine,
}
