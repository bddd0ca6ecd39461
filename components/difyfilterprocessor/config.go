// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
	"github.com/otelcol-dify/otelcol-dify/components/internal/configcheck"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Config is the configuration of the processor. The empty section `dify_filter: {}` is right for Dify.
type Config struct {
	// ServiceNamespace is set as service.namespace on Dify's resources that have none. Empty: not set.
	ServiceNamespace string `mapstructure:"service_namespace"`
	// Installation is the name of this Dify, if there are several. It is set on every resource and every data point.
	Installation string `mapstructure:"installation"`
	// WholeTraces is false where other processors see other parts of each trace. Whatever needs the whole trace is then
	// left to a processor that follows them all.
	WholeTraces bool `mapstructure:"whole_traces"`

	Limits    LimitsConfig    `mapstructure:"limits"`
	Drop      DropConfig      `mapstructure:"drop"`
	Status    StatusConfig    `mapstructure:"status"`
	Logs      LogsConfig      `mapstructure:"logs"`
	Redaction RedactionConfig `mapstructure:"redaction"`
	Memory    MemoryConfig    `mapstructure:"memory"`

	// decoding is the error of Unmarshal, which Validate returns.
	decoding error
}

var _ confmap.Unmarshaler = (*Config)(nil)

// Unmarshal leaves its errors to Validate, which returns them with all others.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	c.decoding = configcheck.Decode(conf, c)
	return nil
}

// LimitsConfig bounds what a client can send. What exceeds a bound is cut, counted and marked.
type LimitsConfig struct {
	Enabled bool `mapstructure:"enabled"`
	// MaxStringLength is the maximum length of a string or bytes value, in bytes.
	MaxStringLength int `mapstructure:"max_string_length"`
	// MaxItemSize is the maximum size of a span, log record or resource, in bytes.
	MaxItemSize int `mapstructure:"max_item_size"`
	// MaxPointSize is the maximum size of the attributes of a data point, and of the resource of metrics, in bytes.
	MaxPointSize int `mapstructure:"max_point_size"`
	// MaxDepth is the maximum number of maps and lists within each other.
	MaxDepth int `mapstructure:"max_depth"`
	// MaxAttributes is the maximum number of attributes of an item, and of entries of a map.
	MaxAttributes int `mapstructure:"max_attributes"`
	// MaxEvents and MaxLinks are the maximum numbers of events and links of a span.
	MaxEvents int `mapstructure:"max_events"`
	MaxLinks  int `mapstructure:"max_links"`
	// MaxBuckets is the maximum number of buckets, quantiles and exemplars of a data point, each.
	MaxBuckets int `mapstructure:"max_buckets"`
	// MaxSeries and MaxProcesses are the maximum numbers of series, and of processes with series, that a pipeline has
	// passed on within some minutes.
	MaxSeries    int `mapstructure:"max_series"`
	MaxProcesses int `mapstructure:"max_processes"`
	// RetentionDays is the age from which, as in the future, an item's own time is not plausible. 0 is ten years.
	RetentionDays int `mapstructure:"retention_days"`
	// PrometheusNames repairs or drops what the Prometheus exporter can't name.
	PrometheusNames bool `mapstructure:"prometheus_names"`
	// ConvertExponentialHistograms makes explicit buckets of them.
	ConvertExponentialHistograms bool `mapstructure:"convert_exponential_histograms"`
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
	// Mode is enforce, or audit: counts and marks what would change, without changing it.
	Mode string `mapstructure:"mode"`
	// Unknown is drop or keep: what happens to unknown long or structured values of Dify and of GenAI libraries.
	Unknown string `mapstructure:"unknown"`
	// UserIDs is hash, keep or drop: what happens to the IDs of users that are not UUIDs.
	UserIDs string `mapstructure:"user_ids"`
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
	// CapabilityPaths are further paths of URLs that a secret code follows, such as /hooks/.
	CapabilityPaths []string `mapstructure:"capability_paths"`
}

// Values of RedactionConfig.Mode.
const (
	redactionEnforce = "enforce"
	redactionAudit   = "audit"
)

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
		Limits: LimitsConfig{
			Enabled:                      true,
			MaxStringLength:              1 << 20,
			MaxItemSize:                  4 << 20,
			MaxPointSize:                 64 << 10,
			MaxDepth:                     64,
			MaxAttributes:                1000,
			MaxEvents:                    128,
			MaxLinks:                     128,
			MaxBuckets:                   512,
			MaxSeries:                    100_000,
			MaxProcesses:                 2000,
			RetentionDays:                30,
			PrometheusNames:              true,
			ConvertExponentialHistograms: true,
		},
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
			Mode:       redactionEnforce,
			Unknown:    redaction.ActionDrop,
			UserIDs:    redaction.ActionHash,
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
