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
	_ "time/tzdata" // the image has no zones; one is named in the configuration

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Config is what operators write. The zero section `dify_filter: {}` is right for Dify.
type Config struct {
	// ServiceNamespace is set as service.namespace on Dify's resources that have none. Empty: not set.
	ServiceNamespace string `mapstructure:"service_namespace"`
	// WholeTraces is false where others see the rest of each trace. What needs all of it is left to a processor behind them.
	WholeTraces bool `mapstructure:"whole_traces"`
	// OneAtATime lets one request at a time through to what is behind, so that one alone waits for a full queue there.
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

// What a rule drops.
const (
	dropsSpan    = "span"
	dropsSubtree = "subtree"
	dropsEvent   = "event"
	dropsRecord  = "record"
)

// RuleConfig is one noise rule. Every condition that is given must hold.
type RuleConfig struct {
	// Name is the rule's label in the processor's own metrics.
	Name string `mapstructure:"name"`
	// Drops says what falls: span, subtree, event or record.
	Drops string `mapstructure:"drops"`
	// Errors lets the rule drop spans with status ERROR that it did not recognize by the error itself.
	Errors bool `mapstructure:"errors"`

	// Literals must be equal, but for Text, which must be contained.
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

// StatusConfig says which spans are no errors.
type StatusConfig struct {
	// ExpectedErrors are exception classes, with or without their module, or prefixes that end in *. Known subclasses
	// are included.
	ExpectedErrors []string `mapstructure:"expected_errors"`
}

// LogsConfig is about the lines of Dify's containers, as Docker's fluentd logging driver sends them.
type LogsConfig struct {
	// Lines makes records of them.
	Lines bool `mapstructure:"lines"`
	// TimeZone is that of the times in Dify's text format: its LOG_TZ.
	TimeZone string `mapstructure:"time_zone"`
	// ServiceName is service.name for the text lines of the API, worker and beat: Dify's APPLICATION_NAME.
	ServiceName string `mapstructure:"service_name"`
	// JoinWait is how long an entry is held for lines that may still belong to it.
	JoinWait time.Duration `mapstructure:"join_wait"`
}

// Actions on the value of a redacted key.
const (
	actionKeep     = "keep"
	actionDrop     = "drop"
	actionHash     = "hash"
	actionTruncate = "truncate"
)

// RedactionConfig says what must not leave.
type RedactionConfig struct {
	Enabled bool `mapstructure:"enabled"`
	// Keys maps an attribute key, or a prefix that ends in *, to keep, drop, hash or truncate. It is laid over the defaults.
	Keys map[string]string `mapstructure:"keys"`
	// TruncateTo is the length in bytes that truncate leaves.
	TruncateTo int `mapstructure:"truncate_to"`
	// HashKey makes hash an HMAC, so that short values can't be guessed.
	HashKey configopaque.String `mapstructure:"hash_key"`
	// SQL replaces literals in db.statement and db.query.text by ?.
	SQL bool `mapstructure:"sql"`
	// URLQueries removes the query from URL attributes.
	URLQueries bool `mapstructure:"url_queries"`
	// Messages takes content out of log bodies, exception texts and status messages, which may quote it.
	Messages bool `mapstructure:"messages"`
	// Secrets scrubs API keys, tokens and passwords wherever they stand.
	Secrets bool `mapstructure:"secrets"`
	// SecretPatterns are further RE2 patterns; what they match is replaced by ***.
	SecretPatterns []string `mapstructure:"secret_patterns"`
}

// MemoryConfig bounds what the processor remembers from one batch to the next.
type MemoryConfig struct {
	// TTL is how long an id is remembered at least, while there is room.
	TTL time.Duration `mapstructure:"ttl"`
	// MaxTraces bounds the traces whose runs and ids are remembered.
	MaxTraces int `mapstructure:"max_traces"`
	// MaxDroppedSpans bounds the dropped spans whose children can still be re-parented.
	MaxDroppedSpans int `mapstructure:"max_dropped_spans"`
	// MaxProcesses bounds the processes whose role, and the apps whose tenant, are remembered. Without any, what is told of a
	// trace depends on that trace alone.
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
			ServiceName: serviceDify,
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

// Validate reports every fault at once.
func (c *Config) Validate() error {
	return errors.Join(c.Drop.validate(), c.Status.validate(), c.Logs.validate(), c.Redaction.validate(), c.Memory.validate())
}

func (c *DropConfig) validate() error {
	var errs []error
	if c.BrokerDatabase < 0 {
		errs = append(errs, fmt.Errorf("drop::broker_database: must not be negative, is %d; take the number at the end of CELERY_BROKER_URL", c.BrokerDatabase))
	}
	seen := map[string]bool{}
	for i := range c.Rules {
		rule := &c.Rules[i]
		if rule.Name != "" && (seen[rule.Name] || slices.Contains(builtinRuleNames, rule.Name)) {
			errs = append(errs, fmt.Errorf("drop::rules[%d]::name: %q is taken; give every rule a name of its own", i, rule.Name))
		}
		seen[rule.Name] = true
		if err := rule.validate(); err != nil {
			errs = append(errs, prefixed(fmt.Sprintf("drop::rules[%d]", i), err)...)
		}
	}
	return errors.Join(errs...)
}

// prefixed puts the rule's place before each of its faults, so that every line of the report can be read alone.
func prefixed(place string, err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{fmt.Errorf("%s::%w", place, err)}
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, fmt.Errorf("%s::%w", place, e))
	}
	return errs
}

var spanKindNames = []string{"internal", "server", "client", "producer", "consumer"}

func (r *RuleConfig) validate() error {
	var errs []error
	if r.Name == "" {
		errs = append(errs, errors.New("name: must not be empty; it is the rule's label in the metrics"))
	}
	if !slices.Contains([]string{dropsSpan, dropsSubtree, dropsEvent, dropsRecord}, r.Drops) {
		errs = append(errs, fmt.Errorf("drops: must be span, subtree, event or record, is %q", r.Drops))
	}
	if r.SpanKind != "" && !slices.Contains(spanKindNames, r.SpanKind) {
		errs = append(errs, fmt.Errorf("span_kind: must be one of %s, is %q", strings.Join(spanKindNames, ", "), r.SpanKind))
	}
	if r.Drops == dropsRecord && (r.SpanName != "" || r.SpanNameRegexp != "" || r.SpanKind != "" || r.Root || r.Errors) {
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

// conditionless ignores span_kind and root: alone they would drop nearly everything.
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
		errs = append(errs, fmt.Errorf("logs::time_zone: %w; give the name that Dify's LOG_TZ has, such as Asia/Shanghai", err))
	}
	if c.ServiceName == "" {
		errs = append(errs, errors.New("logs::service_name: must not be empty; give the name that Dify's APPLICATION_NAME has"))
	}
	if c.JoinWait < minJoinWait || c.JoinWait > maxJoinWait {
		errs = append(errs, fmt.Errorf("logs::join_wait: must be between %s and %s, is %s; give a unit, as in 1s", minJoinWait, maxJoinWait, c.JoinWait))
	}
	return errors.Join(errs...)
}

// A number without a unit means nanoseconds, which nobody means; more is what a crash can cost.
const (
	minJoinWait = 10 * time.Millisecond
	maxJoinWait = time.Minute
	minTTL      = time.Second
)

func (c *RedactionConfig) validate() error {
	var errs []error
	for key, action := range c.Keys {
		if !slices.Contains([]string{actionKeep, actionDrop, actionHash, actionTruncate}, action) {
			errs = append(errs, fmt.Errorf("redaction::keys::%s: must be keep, drop, hash or truncate, is %q", key, action))
		}
		if star := strings.IndexByte(key, '*'); key == "" || star == 0 || (star > 0 && star != len(key)-1) {
			errs = append(errs, fmt.Errorf("redaction::keys::%s: a key is a name, or a prefix with one * at its end", key))
		}
	}
	if c.TruncateTo <= 0 {
		errs = append(errs, fmt.Errorf("redaction::truncate_to: must be greater than 0, is %d; to remove a value use the action drop", c.TruncateTo))
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
		errs = append(errs, fmt.Errorf("memory::ttl: must be at least %s, is %s; give a unit, as in 30m", minTTL, c.TTL))
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
		return fmt.Errorf("%s: is no RE2 expression: %w", key, err)
	}
	return nil
}
