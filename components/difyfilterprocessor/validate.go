// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/configcheck"
	"github.com/otelcol-dify/otelcol-dify/components/internal/installation"
)

// Validate returns all errors of the configuration, joined.
func (c *Config) Validate() error {
	return errors.Join(
		c.decoding,
		installation.Validate(c.Installation),
		configcheck.Durations(c, durationRanges),
		c.Limits.validate(),
		c.Drop.validate(),
		c.Status.validate(),
		c.Logs.validate(),
		c.Redaction.validate(),
		c.Memory.validate(),
	)
}

func (c *LimitsConfig) validate() error {
	var errs []error
	for _, limit := range []struct {
		key            string
		value, minimum int
	}{
		{"max_string_length", c.MaxStringLength, 256},
		{"max_item_size", c.MaxItemSize, 4096},
		{"max_point_size", c.MaxPointSize, 4096},
		{"max_depth", c.MaxDepth, 1},
		{"max_attributes", c.MaxAttributes, 32},
		{"max_events", c.MaxEvents, 1},
		{"max_links", c.MaxLinks, 1},
		{"max_buckets", c.MaxBuckets, 32},
		{"max_series", c.MaxSeries, 1},
		{"max_processes", c.MaxProcesses, 1},
		{"retention_days", c.RetentionDays, 0},
	} {
		if limit.value < limit.minimum {
			errs = append(errs, fmt.Errorf("limits::%s: must be at least %d, is %d; limits::enabled: false switches all off",
				limit.key, limit.minimum, limit.value))
		}
	}
	if c.MaxItemSize < c.MaxStringLength {
		errs = append(errs, fmt.Errorf("limits::max_item_size: must not be less than limits::max_string_length (%d), is %d",
			c.MaxStringLength, c.MaxItemSize))
	}
	return errors.Join(errs...)
}

func (c *DropConfig) validate() error {
	var errs []error
	if c.BrokerDatabase < 0 {
		errs = append(
			errs,
			fmt.Errorf(
				"drop::broker_database: must not be negative, is %d; use the number at the end of CELERY_BROKER_URL",
				c.BrokerDatabase,
			),
		)
	}
	seen := map[string]bool{}
	for i := range c.Rules {
		rule := &c.Rules[i]
		if rule.Name != "" && (seen[rule.Name] || isReserved(rule.Name)) {
			errs = append(
				errs,
				fmt.Errorf("drop::rules[%d]::name: %q is already used; give every rule a unique name", i, rule.Name),
			)
		}
		seen[rule.Name] = true
		if err := rule.validate(); err != nil {
			errs = append(errs, prefixed(fmt.Sprintf("drop::rules[%d]", i), err)...)
		}
	}
	return errors.Join(errs...)
}

// isReserved reports whether a name is already a value of the attribute `rule` of the processor's own metrics.
func isReserved(rule string) bool {
	return slices.Contains(tally.BuiltinRules, rule) || slices.Contains(tally.LimitNames(), rule)
}

// prefixed adds the path of the rule to each of its errors, so that each line of the message is complete.
func prefixed(path string, err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{fmt.Errorf("%s::%w", path, err)}
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, fmt.Errorf("%s::%w", path, e))
	}
	return errs
}

var spanKindNames = []string{"internal", "server", "client", "producer", "consumer"}

func (r *RuleConfig) validate() error {
	var errs []error
	if r.Name == "" {
		errs = append(errs, errors.New("name: must not be empty; it identifies the rule in the metrics"))
	}
	if !slices.Contains([]string{noise.DropsSpan, noise.DropsSubtree, noise.DropsEvent, noise.DropsRecord}, r.Drops) {
		errs = append(errs, fmt.Errorf("drops: must be span, subtree, event or record, is %q", r.Drops))
	}
	if r.SpanKind != "" && !slices.Contains(spanKindNames, r.SpanKind) {
		errs = append(errs, fmt.Errorf("span_kind: must be one of %s, is %q", strings.Join(spanKindNames, ", "), r.SpanKind))
	}
	if r.Drops == noise.DropsRecord &&
		(r.SpanName != "" || r.SpanNameRegexp != "" || r.SpanKind != "" || r.Root || r.Errors) {
		errs = append(
			errs,
			errors.New(
				"drops: a rule that drops a record can't use span_name, span_name_regexp, span_kind, root or errors; remove them",
			),
		)
	}
	if r.conditionless() {
		errs = append(
			errs,
			errors.New("drops: a rule without a condition would drop everything; add at least one, such as span_name or text"),
		)
	}
	errs = append(errs, compiles("span_name_regexp", r.SpanNameRegexp), compiles("text_regexp", r.TextRegexp))
	for key, pattern := range r.AttributesRegexp {
		errs = append(errs, compiles("attributes_regexp::"+key, pattern))
	}
	return errors.Join(errs...)
}

// conditionless reports whether a rule has no selective condition: span_kind and root alone would drop nearly
// everything.
func (r *RuleConfig) conditionless() bool {
	return r.SpanName == "" && r.SpanNameRegexp == "" && r.EventName == "" && r.ExceptionType == "" && r.Text == "" &&
		r.TextRegexp == "" && len(r.Attributes) == 0 && len(r.AttributesRegexp) == 0
}

func (c *StatusConfig) validate() error {
	var errs []error
	for i, name := range c.ExpectedErrors {
		if star := strings.IndexByte(name, '*'); name == "" || star == 0 || (star > 0 && star != len(name)-1) {
			errs = append(
				errs,
				fmt.Errorf(
					"status::expected_errors[%d]: must be an exception type, or a prefix with one * at its end, is %q",
					i,
					name,
				),
			)
		}
	}
	return errors.Join(errs...)
}

func (c *LogsConfig) validate() error {
	var errs []error
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		errs = append(errs, fmt.Errorf("logs::time_zone: %w; use the value of Dify's LOG_TZ, such as Asia/Shanghai", err))
	}
	if c.ServiceName == "" {
		errs = append(errs, errors.New("logs::service_name: must not be empty; use the value of Dify's APPLICATION_NAME"))
	}
	return errors.Join(errs...)
}

// maxJoinWait bounds what a crash can lose.
const maxJoinWait = time.Minute

var durationRanges = map[string]configcheck.Range{
	"logs::join_wait": {Min: 10 * time.Millisecond, Max: maxJoinWait},
	"memory::ttl":     {Min: time.Second, Max: 7 * configcheck.Day},
}

func (c *RedactionConfig) validate() error {
	errs := []error{
		oneOf("redaction::mode", c.Mode, redactionEnforce, redactionAudit),
		oneOf("redaction::unknown", c.Unknown, redaction.ActionDrop, redaction.ActionKeep),
		oneOf("redaction::user_ids", c.UserIDs, redaction.ActionHash, redaction.ActionKeep, redaction.ActionDrop),
	}
	for i, path := range c.CapabilityPaths {
		if len(path) < 3 || path[0] != '/' {
			errs = append(errs, fmt.Errorf("redaction::capability_paths[%d]: must begin with /, as in /hooks/, is %q", i, path))
		}
	}
	for key, action := range c.Keys {
		if !slices.Contains(
			[]string{redaction.ActionKeep, redaction.ActionDrop, redaction.ActionHash, redaction.ActionTruncate},
			action,
		) {
			errs = append(errs, fmt.Errorf("redaction::keys::%s: must be keep, drop, hash or truncate, is %q", key, action))
		}
		if star := strings.IndexByte(key, '*'); key == "" || star == 0 || (star > 0 && star != len(key)-1) {
			errs = append(
				errs,
				fmt.Errorf("redaction::keys::%s: must be an attribute key, or a prefix with one * at its end", key),
			)
		}
	}
	if c.TruncateTo <= 0 {
		errs = append(
			errs,
			fmt.Errorf(
				"redaction::truncate_to: must be greater than 0, is %d; use the action drop to remove a value",
				c.TruncateTo,
			),
		)
	}
	for i, pattern := range c.SecretPatterns {
		if pattern == "" {
			errs = append(errs, fmt.Errorf("redaction::secret_patterns[%d]: must not be empty", i))
		}
		errs = append(errs, compiles(fmt.Sprintf("redaction::secret_patterns[%d]", i), pattern))
	}
	return errors.Join(errs...)
}

func (c *MemoryConfig) validate() error {
	var errs []error
	for _, limit := range []struct {
		key   string
		value int
	}{
		{"max_traces", c.MaxTraces},
		{"max_dropped_spans", c.MaxDroppedSpans},
	} {
		if limit.value <= 0 {
			errs = append(errs, fmt.Errorf("memory::%s: must be greater than 0, is %d", limit.key, limit.value))
		}
	}
	if c.MaxProcesses < 0 {
		errs = append(errs, fmt.Errorf("memory::max_processes: must be 0 (none) or greater, is %d", c.MaxProcesses))
	}
	return errors.Join(errs...)
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s: must be %s, is %q", key, strings.Join(allowed, " or "), value)
}

func compiles(key, pattern string) error {
	if _, err := regexp.Compile(pattern); err != nil {
		return fmt.Errorf("%s: is not an RE2 expression: %w", key, err)
	}
	return nil
}
