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

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Config is the configuration of the processor. The empty section `dify_filter: {}` is right for Dify.
type Config struct {
	// ServiceNamespace is set as service.namespace on Dify's resources that have none. Empty: not set.
	ServiceNamespace string `mapstructure:"service_namespace"`
	// WholeTraces is false where other processors see other parts of each trace. Whatever needs the whole trace is then
	// left to a processor that follows them all.
	WholeTraces bool `mapstructure:"whole_traces"`
	// OneAtATime passes one request at a time to the next component, so that at most one waits for space in a full queue.
	OneAtATime bool `mapstructure:"one_at_a_time"`

	Drop      DropConfig      `mapstructure:"drop"`
	Status    StatusConfig    `mapstructure:"status"`
	Logs      LogsConfig      `mapstructure:"logs"`
	Redaction RedactionConfig `mapstructure:"redaction"`
	Memory    MemoryConfig    `mapstructure:"memory"`
}

// DropConfig switches the built-in noise rules and adds the operator's own.
type DropConfig struct {
	ParseError           bool `mapstructure:"parse_error"`
	ContextDetach        bool `mapstructure:"context_detach"`
	HealthCheck          bool `mapstructure:"health_check"`
	BrokerPolling        bool `mapstructure:"broker_polling"`
	NoScript             bool `mapstructure:"noscript"`
	SampledResponseCount bool `mapstructure:"sampled_response_count"`

	// BrokerDatabase is the number of the Redis database that Celery's broker uses: the path of CELERY_BROKER_URL.
	BrokerDatabase int `mapstructure:"broker_database"`

	Rules []RuleConfig `mapstructure:"rules"`
}

// RuleConfig is one noise rule. A rule matches if all its conditions hold.
type RuleConfig struct {
	// Name is the value of the attribute `rule` in the processor's own metrics.
	Name string `mapstructure:"name"`
	// Drops is what the rule drops: span, subtree, event or record.
	Drops string `mapstructure:"drops"`
	// Errors lets the rule drop spans with status ERROR although it has no condition on the error itself.
	Errors bool `mapstructure:"errors"`

	// SpanName, EventName and ExceptionType must be equal; Text must be contained.
	SpanName         string            `mapstructure:"span_name"`
	SpanNameRegexp   string            `mapstructure:"span_name_regexp"`
	SpanKind         string            `mapstructure:"span_kind"`
	Root             bool              `mapstructure:"root"`
	EventName        string            `mapstructure:"event_name"`
	ExceptionType    string            `mapstructure:"exception_type"`
	Text             string            `mapstructure:"text"`
	TextRegexp       string            `mapstructure:"text_regexp"`
	Attributes       map[string]string `mapstructure:"attributes"`
	AttributesRegexp map[string]string `mapstructure:"attributes_regexp"`
}

// StatusConfig configures which spans are not errors.
type StatusConfig struct {
	// ExpectedErrors are exception classes, with or without their module, or prefixes that end in *. Known subclasses
	// are included.
	ExpectedErrors []string `mapstructure:"expected_errors"`
}

// LogsConfig configures the parsing of container log lines, as Docker's fluentd logging driver sends them.
type LogsConfig struct {
	// Lines turns lines into log records.
	Lines bool `mapstructure:"lines"`
	// TimeZone is the time zone of the times in Dify's text format: its LOG_TZ.
	TimeZone string `mapstructure:"time_zone"`
	// ServiceName is the service.name of text lines from the API, worker and beat: Dify's APPLICATION_NAME.
	ServiceName string `mapstructure:"service_name"`
	// JoinWait is how long an entry waits for lines that may still belong to it.
	JoinWait time.Duration `mapstructure:"join_wait"`
}

// RedactionConfig configures what must not leave the collector.
type RedactionConfig struct {
	Enabled bool `mapstructure:"enabled"`
	// Keys maps an attribute key, or a prefix that ends in *, to keep, drop, hash or truncate. It extends and overrides
	// the defaults.
	Keys map[string]string `mapstructure:"keys"`
	// TruncateTo is the length in bytes to which truncate shortens a value.
	TruncateTo int `mapstructure:"truncate_to"`
	// HashKey turns hash into an HMAC, so that short values can't be guessed.
	HashKey configopaque.String `mapstructure:"hash_key"`
	// SQL replaces literals in db.statement and db.query.text with ?.
	SQL bool `mapstructure:"sql"`
	// URLQueries removes the query from URL attributes.
	URLQueries bool `mapstructure:"url_queries"`
	// Messages removes content that log bodies, exception texts and status messages quote.
	Messages bool `mapstructure:"messages"`
	// Secrets scrubs API keys, tokens and passwords from every text.
	Secrets bool `mapstructure:"secrets"`
	// SecretPatterns are further RE2 patterns. What they match is replaced with ***.
	SecretPatterns []string `mapstructure:"secret_patterns"`
}

// MemoryConfig bounds the state that the processor keeps between batches.
type MemoryConfig struct {
	// TTL is the minimum time for which an ID is remembered, as long as there is room.
	TTL time.Duration `mapstructure:"ttl"`
	// MaxTraces bounds the number of traces whose runs and IDs are remembered.
	MaxTraces int `mapstructure:"max_traces"`
	// MaxDroppedSpans bounds the number of dropped spans whose children can still be re-parented.
	MaxDroppedSpans int `mapstructure:"max_dropped_spans"`
	// MaxProcesses bounds the number of processes whose role, and of apps whose tenant, are remembered. With 0, the
	// attributes of a trace depend on that trace alone.
	MaxProcesses int `mapstructure:"max_processes"`
}

func createDefaultConfig() component.Config {
	return &Config{
		ServiceNamespace: "dify",
		WholeTraces:      true,
		Drop: DropConfig{
			ParseError:           true,
			ContextDetach:        true,
			HealthCheck:          true,
			BrokerPolling:        true,
			NoScript:             true,
			SampledResponseCount: true,
			BrokerDatabase:       1,
		},
		Status: StatusConfig{ExpectedErrors: difysemconv.ExpectedErrors()},
		Logs: LogsConfig{
			Lines:       true,
			TimeZone:    "UTC",
			ServiceName: emitter.ServiceDify,
			JoinWait:    time.Second,
		},
		Redaction: RedactionConfig{
			Enabled:    true,
			TruncateTo: 256,
			SQL:        true,
			URLQueries: true,
			Messages:   true,
			Secrets:    true,
		},
		Memory: MemoryConfig{
			TTL:             30 * time.Minute,
			MaxTraces:       10_000,
			MaxDroppedSpans: 100_000,
			MaxProcesses:    10_000,
		},
	}
}

// Validate returns all errors of the configuration, joined.
func (c *Config) Validate() error {
	return errors.Join(c.Drop.validate(), c.Status.validate(), c.Logs.validate(), c.Redaction.validate(), c.Memory.validate())
}

func (c *DropConfig) validate() error {
	var errs []error
	if c.BrokerDatabase < 0 {
		errs = append(errs, fmt.Errorf("drop::broker_database: must not be negative, is %d; use the number at the end of CELERY_BROKER_URL", c.BrokerDatabase))
	}
	seen := map[string]bool{}
	for i := range c.Rules {
		rule := &c.Rules[i]
		if rule.Name != "" && (seen[rule.Name] || slices.Contains(tally.BuiltinRules, rule.Name)) {
			errs = append(errs, fmt.Errorf("drop::rules[%d]::name: %q is already used; give every rule a unique name", i, rule.Name))
		}
		seen[rule.Name] = true
		if err := rule.validate(); err != nil {
			errs = append(errs, prefixed(fmt.Sprintf("drop::rules[%d]", i), err)...)
		}
	}
	return errors.Join(errs...)
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
	if r.Drops == noise.DropsRecord && (r.SpanName != "" || r.SpanNameRegexp != "" || r.SpanKind != "" || r.Root || r.Errors) {
		errs = append(errs, errors.New("drops: a rule that drops a record can't use span_name, span_name_regexp, span_kind, root or errors; remove them"))
	}
	if r.conditionless() {
		errs = append(errs, errors.New("drops: a rule without a condition would drop everything; add at least one, such as span_name or text"))
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
			errs = append(errs, fmt.Errorf("status::expected_errors[%d]: must be an exception type, or a prefix with one * at its end, is %q", i, name))
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
	if c.JoinWait < minJoinWait || c.JoinWait > maxJoinWait {
		errs = append(errs, fmt.Errorf("logs::join_wait: must be between %s and %s, is %s; add a unit, as in 1s", minJoinWait, maxJoinWait, c.JoinWait))
	}
	return errors.Join(errs...)
}

// The lower bounds reject numbers without a unit, which are nanoseconds. maxJoinWait bounds what a crash can lose.
const (
	minJoinWait = 10 * time.Millisecond
	maxJoinWait = time.Minute
	minTTL      = time.Second
)

func (c *RedactionConfig) validate() error {
	var errs []error
	for key, action := range c.Keys {
		if !slices.Contains([]string{redaction.ActionKeep, redaction.ActionDrop, redaction.ActionHash, redaction.ActionTruncate}, action) {
			errs = append(errs, fmt.Errorf("redaction::keys::%s: must be keep, drop, hash or truncate, is %q", key, action))
		}
		if star := strings.IndexByte(key, '*'); key == "" || star == 0 || (star > 0 && star != len(key)-1) {
			errs = append(errs, fmt.Errorf("redaction::keys::%s: must be an attribute key, or a prefix with one * at its end", key))
		}
	}
	if c.TruncateTo <= 0 {
		errs = append(errs, fmt.Errorf("redaction::truncate_to: must be greater than 0, is %d; use the action drop to remove a value", c.TruncateTo))
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
	if c.TTL < minTTL {
		errs = append(errs, fmt.Errorf("memory::ttl: must be at least %s, is %s; add a unit, as in 30m", minTTL, c.TTL))
	}
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

func compiles(key, pattern string) error {
	if _, err := regexp.Compile(pattern); err != nil {
		return fmt.Errorf("%s: is not an RE2 expression: %w", key, err)
	}
	return nil
}
