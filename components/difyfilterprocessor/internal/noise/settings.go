// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package noise drops noise by rules: spans, subtrees, events of spans, and log records. It re-parents the children of
// dropped spans.
package noise

// Settings of the noise rules.
type Settings struct {
	ParseError    bool
	ContextDetach bool
	HealthCheck   bool
	BrokerPolling bool
	NoScript      bool

	// BrokerDatabase is the number of the Redis database of Celery's broker.
	BrokerDatabase int
	// Rules are the rules of the operator, which are valid.
	Rules []Rule
}

// Values of Rule.Drops.
const (
	DropsSpan    = "span"
	DropsSubtree = "subtree"
	DropsEvent   = "event"
	DropsRecord  = "record"
)

// Rule is a rule of the operator. It matches if all its conditions hold; an empty field is not a condition.
type Rule struct {
	Name   string
	Drops  string
	Errors bool // the rule drops spans with status ERROR although it has no condition on the error itself

	SpanName         string
	SpanNameRegexp   string
	SpanKind         string
	Root             bool
	EventName        string
	ExceptionType    string
	Text             string
	TextRegexp       string
	Attributes       map[string]string
	AttributesRegexp map[string]string
}
