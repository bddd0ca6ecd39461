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

func TestMissingAPIKeyIsNamed(t *testing.T) {
	configs := shippedConfigs(t)["overlays/auth.yaml"]
	result := collector.Validate(t, nil, configs...)
	assert.NotZero(t, result.Code, "an empty key must not be an open door")
	assert.Contains(t, result.Output, "bearertokenauth/otlp")
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
