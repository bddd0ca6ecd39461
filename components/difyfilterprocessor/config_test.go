// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
)

func load(t *testing.T, name string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	id := component.NewIDWithName(metadata.Type, name)
	if name == "" {
		id = component.NewID(metadata.Type)
	}
	section, err := conf.Sub(id.String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := section.Unmarshal(cfg); err != nil {
		return cfg, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestLoadConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"":      func(*Config) {},
		"empty": func(*Config) {},
		"all": func(c *Config) {
			c.ServiceNamespace = "ai"
			c.Installation = "eu-2"
			c.WholeTraces = false
			c.Limits = LimitsConfig{
				MaxStringLength: 1000, MaxItemSize: 5000, MaxPointSize: 6000, MaxDepth: 2, MaxAttributes: 33, MaxEvents: 4,
				MaxLinks: 5, MaxBuckets: 36, MaxSeries: 8, MaxProcesses: 9,
				RetentionDays: 7,
			}
			c.Drop = DropConfig{BrokerDatabase: 3, Rules: []RuleConfig{
				{
					Name: "probe", Drops: "subtree", SpanKind: "server", SpanName: "GET /probe", Root: true, Errors: true,
					Attributes: map[string]string{"http.route": "/probe"},
				},
				{
					Name: "chatter", Drops: "record", TextRegexp: "^keep-?alive",
					AttributesRegexp: map[string]string{"log.logger": "^urllib3"},
				},
				{Name: "known", Drops: "event", EventName: "exception", ExceptionType: "acme.Known", Text: "E42"},
				{Name: "poll", Drops: "span", SpanNameRegexp: "^poll "},
			}}
			c.Status = StatusConfig{ExpectedErrors: []string{"acme.*"}}
			c.Logs = LogsConfig{TimeZone: "Asia/Shanghai", ServiceName: "dify", JoinWait: 2 * time.Second}
			c.Redaction = RedactionConfig{
				Mode: "audit", Unknown: "keep", UserIDs: "drop", CapabilityPaths: []string{"/secret-form/"},
				Keys:       map[string]string{"gen_ai.prompt": "truncate", "user.*": "hash"},
				TruncateTo: 64, HashKey: "pepper", SecretPatterns: []string{`ACME-\d+`},
			}
			c.Memory = MemoryConfig{TTL: time.Hour, MaxTraces: 1, MaxDroppedSpans: 2, MaxProcesses: 3}
		},
	} {
		t.Run("config "+name, func(t *testing.T) {
			want := createDefaultConfig().(*Config)
			change(want)
			got, err := load(t, name)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

func TestInvalidConfig(t *testing.T) {
	for name, want := range map[string][]string{
		"unknown_key": {"`redactions` is not a key; did you mean `redaction`?"},
		"wrong_type":  {"'drop.parse_error' expected type 'bool'"},
		"rules": {
			`drop::broker_database: must not be negative, is -1; use the number at the end of CELERY_BROKER_URL`,
			`drop::rules[0]::name: must not be empty; it identifies the rule in the metrics`,
			`drop::rules[0]::drops: must be span, subtree, event or record, is "trace"`,
			`drop::rules[0]::drops: a rule without a condition would drop everything; add at least one, such as span_name ` +
				`or text`,
			`drop::rules[1]::name: "health_check" is already used; give every rule a unique name`,
			`drop::rules[1]::span_kind: must be one of internal, server, client, producer, consumer, is "SERVER"`,
			`drop::rules[1]::span_name_regexp: is not an RE2 expression`,
			`drop::rules[1]::text_regexp: is not an RE2 expression`,
			`drop::rules[1]::attributes_regexp::k: is not an RE2 expression`,
			`drop::rules[2]::drops: a rule that drops a record can't use span_name, span_name_regexp, span_kind, root or ` +
				`errors; remove them`,
			`drop::rules[3]::name: "twice" is already used; give every rule a unique name`,
			`drop::rules[4]::name: "utf8" is already used; give every rule a unique name`,
		},
		"limits": {
			`limits::max_string_length: must be at least 256, is 255; limits::enabled: false switches all off`,
			`limits::max_item_size: must be at least 4096, is 0`,
			`limits::max_point_size: must be at least 4096, is 4095`,
			`limits::max_depth: must be at least 1, is 0`,
			`limits::max_attributes: must be at least 32, is 31`,
			`limits::max_events: must be at least 1, is 0`,
			`limits::max_links: must be at least 1, is -1`,
			`limits::max_buckets: must be at least 32, is 31`,
			`limits::max_series: must be at least 1, is 0`,
			`limits::max_processes: must be at least 1, is 0`,
			`limits::retention_days: must be at least 0, is -1`,
		},
		"item_size": {
			`limits::max_item_size: must not be less than limits::max_string_length (5000), is 4999`,
		},
		"redaction": {
			`redaction::mode: must be enforce or audit, is "dry_run"`,
			`redaction::unknown: must be drop or keep, is "hash"`,
			`redaction::user_ids: must be hash or keep or drop, is "truncate"`,
			`redaction::capability_paths[0]: must begin with /, as in /hooks/, is "hooks"`,
			`redaction::keys::a: must be keep, drop, hash or truncate, is "remove"`,
			`redaction::keys::*: must be an attribute key, or a prefix with one * at its end`,
			`redaction::keys::a*b: must be an attribute key, or a prefix with one * at its end`,
			`redaction::truncate_to: must be greater than 0, is 0; use the action drop to remove a value`,
			`redaction::secret_patterns[0]: is not an RE2 expression`,
			`redaction::secret_patterns[1]: must not be empty`,
		},
		"installation": {"`installation` is \"two words\": must be at most 63 letters"},
		"status": {
			`status::expected_errors[0]: must be an exception type, or a prefix with one * at its end, is "*"`,
			`status::expected_errors[1]: must be an exception type, or a prefix with one * at its end, is ""`,
		},
		"logs": {
			`logs::time_zone: unknown time zone CST8; use the value of Dify's LOG_TZ, such as Asia/Shanghai`,
			`logs::service_name: must not be empty; use the value of Dify's APPLICATION_NAME`,
			"`logs::join_wait` is 1ns: must be from 10ms to 1m; a number without a unit is in ns: " +
				"add the unit, as in `join_wait: 1s`",
		},
		"memory": {
			"`memory::ttl` is 30ns: must be from 1s to 168h",
			`memory::max_traces: must be greater than 0, is 0`,
			`memory::max_dropped_spans: must be greater than 0, is -1`,
			`memory::max_processes: must be 0 (none) or greater, is -3`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, name)
			require.Error(t, err)
			for _, message := range want {
				assert.ErrorContains(t, err, message)
			}
		})
	}
}

func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	for days, want := range map[int]time.Duration{0: 3650 * day, 30: 30 * day, math.MaxInt: 36500 * day} {
		cfg := LimitsConfig{RetentionDays: days}
		assert.Equal(t, want, cfg.retention())
	}
}
