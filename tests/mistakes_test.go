// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
)

// An operator's mistakes must be reported with the name of the key.
func TestMistakesAreNamed(t *testing.T) {
	for _, tc := range []struct {
		name    string
		mistake string // merged over the shipped configuration
		want    []string
	}{
		{"workflow_log: unknown key", "receivers::workflow_log::pol_interval: 1s", []string{"workflow_log", "pol_interval"}},
		{"workflow_log: wrong type", "receivers::workflow_log::max_apps: many", []string{"workflow_log", "max_apps"}},
		{"workflow_log: no duration", "receivers::workflow_log::look_back: soon", []string{"workflow_log", "look_back"}},
		{"workflow_log: unknown driver", "receivers::workflow_log::driver: oracle", []string{"workflow_log", "driver"}},
		{"workflow_log: no storage", "receivers::workflow_log::storage:", []string{"workflow_log", "storage"}},
		{"workflow_log: no host", "receivers::workflow_log::host: ''", []string{"workflow_log", "host"}},

		{"celery_queue: unknown key", "receivers::celery_queue::queue: dataset", []string{"celery_queue", "queue"}},
		{"celery_queue: wrong type", "receivers::celery_queue::collection_interval: [1]", []string{"celery_queue", "collection_interval"}},
		{"celery_queue: no endpoint", "receivers::celery_queue::endpoint: ''", []string{"celery_queue", "endpoint"}},

		{"dify_filter: unknown key", "processors::dify_filter::drops: []", []string{"dify_filter", "drops"}},
		{"dify_filter: wrong type", "processors::dify_filter::drop: 1", []string{"dify_filter", "drop"}},

		{"sentry: unknown key", "exporters::sentry::dns: x", []string{"sentry", "dns"}},
		{"sentry: wrong type", "exporters::sentry::traces_sample_rate: all", []string{"sentry", "traces_sample_rate"}},
		{"sentry: out of range", "exporters::sentry::traces_sample_rate: 7", []string{"sentry", "traces_sample_rate"}},
		{"sentry: no DSN", "exporters::sentry::dsn: sentry.example.com", []string{"sentry", "dsn"}},

		{"opensearch_bulk: unknown key", "extensions::opensearch_bulk::store: x", []string{"opensearch_bulk", "store"}},
		{"opensearch_bulk: wrong type", "extensions::opensearch_bulk::setup::enabled: [1]", []string{"opensearch_bulk", "enabled"}},
		{"opensearch_bulk: no storage", "extensions::opensearch_bulk::storage:", []string{"opensearch_bulk", "storage"}},
		{"opensearch_bulk: set-up without an address", "extensions::opensearch_bulk::http::endpoint: ''", []string{"opensearch_bulk", "http", "endpoint"}},

		{"opensearch: unknown key", "exporters::opensearch::log_index: x", []string{"opensearch", "log_index"}},
		{"prometheus: wrong type", "exporters::prometheus::metric_expiration: never", []string{"prometheus", "metric_expiration"}},
		{"opensearch_bulk: a near key", "extensions::opensearch_bulk::storag: x", []string{"did you mean `storage`?"}},
		{"otlp_guard: a near key", "extensions::otlp_guard::max_itms: 5", []string{"did you mean `max_items`?"}},
		{"workflow_log: a near key", "receivers::workflow_log::drivr: x", []string{"did you mean `driver`?"}},

		{"workflow_log: no unit", "receivers::workflow_log::poll_interval: 5", []string{"`poll_interval: 5s`"}},
		{"workflow_log: no unit", "receivers::workflow_log::metrics_interval: 15", []string{"`metrics_interval: 15s`"}},
		{"workflow_log: no unit", "receivers::workflow_log::outcome_wait: 60", []string{"`outcome_wait: 60s`"}},
		{"celery_queue: no unit", "receivers::celery_queue::collection_interval: 15", []string{"`collection_interval: 15s`"}},
		{"celery_queue: no unit", "receivers::celery_queue::timeout: 5", []string{"`timeout: 5s`"}},
		{"sentry: no unit", "exporters::sentry::run_window: 30", []string{"`run_window: 30s`"}},
		{"opensearch_bulk: no unit", "extensions::opensearch_bulk::attempt_timeout: 30", []string{"`attempt_timeout: 30s`"}},
		{"dify_filter: no unit", "processors::dify_filter::memory::ttl: 600", []string{"`ttl: 600s`"}},

		{"unknown component", "exporters::elastic: {}", []string{"elastic"}},
		{"unknown pipeline member", "service::pipelines::traces::exporters: [elastic]", []string{"elastic"}},
		{"unknown section", "receiver: {}", []string{"invalid keys: receiver"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			result := collector.Validate(t, requiredEnv, collector.ShippedConfig(), "yaml:"+tc.mistake)
			assert.NotZero(t, result.Code)
			for _, text := range tc.want {
				assert.Contains(t, result.Output, text)
			}
		})
	}
}

// All faults are reported at once, whichever component has them.
func TestAllMistakesAreNamed(t *testing.T) {
	result := collector.Validate(
		t, requiredEnv, collector.ShippedConfig(), "yaml:receivers::workflow_log::drivr: x",
		"yaml:receivers::workflow_log::poll_interval: 5", "yaml:receivers::celery_queue::endpoint: ''",
		"yaml:extensions::otlp_guard::max_items: 0", "yaml:exporters::sentry::traces_sample_rate: 7",
	)
	assert.NotZero(t, result.Code)
	for _, text := range []string{"driver", "poll_interval", "CELERY_BROKER_URL", "max_items", "traces_sample_rate"} {
		assert.Contains(t, result.Output, text)
	}
}

// What the documents tell operators to attach to a report works, and has no secrets.
func TestPrintConfig(t *testing.T) {
	const secret = "s3cret-of-this-test"
	env := map[string]string{
		"DB_PASSWORD": secret, "OTELCOL_OPENSEARCH_PASSWORD": secret, "OTELCOL_SENTRY_DSN": "http://" + secret + "@localhost/1",
		"CELERY_BROKER_URL": "redis://:" + secret + "@redis:6379/1",
	}
	result := collector.Run(t, env, "print-config", "--config", collector.ShippedConfig())
	assert.Zero(t, result.Code, result.Output)
	assert.Contains(t, result.Output, "workflow_log:")
	assert.NotContains(t, result.Output, secret)
}

func TestMissingAPIKeyIsNamed(t *testing.T) {
	configs := shippedConfigs(t)["overlays/auth.yaml"]
	result := collector.Validate(t, nil, configs...)
	assert.NotZero(t, result.Code, "an empty key must not be an open door")
	assert.Contains(t, result.Output, "OTLP_API_KEY")
}

func TestSecretsDoNotShowInErrors(t *testing.T) {
	const secret = "s3cret-of-this-test"
	for name, env := range map[string]map[string]string{
		"broker":     {"CELERY_BROKER_URL": "redis://:" + secret + "@redis:port/1"},
		"sentry DSN": {"OTELCOL_SENTRY_DSN": "http://" + secret + "@sentry.example.com"},
		"database":   {"DB_PASSWORD": secret, "DB_PORT": "5432x"},
	} {
		t.Run(name, func(t *testing.T) {
			result := collector.Validate(t, env, collector.ShippedConfig())
			assert.NotZero(t, result.Code)
			assert.NotContains(t, result.Output, secret)
		})
	}
}
