// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func loadConfig(t *testing.T, id string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	section, err := conf.Sub(id)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	return cfg, section.Unmarshal(cfg)
}

func TestLoadConfig(t *testing.T) {
	cfg, err := loadConfig(t, "opensearch_bulk")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(cfg))
	want := createDefaultConfig().(*Config)
	storage := component.MustNewID("file_storage")
	want.Storage = &storage
	assert.Equal(t, want, cfg)

	cfg, err = loadConfig(t, "opensearch_bulk/all")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(cfg))
	assert.Equal(t, "https://opensearch:9200", cfg.HTTP.Endpoint)
	assert.True(t, cfg.Setup.Enabled)
	assert.Equal(t, "0-all", cfg.Setup.AutoExpandReplicas)
	assert.Equal(t, 7, cfg.Setup.RetentionDays)
	assert.Equal(t, "https://dashboards:5601", cfg.Setup.Dashboards.Endpoint)
	assert.Equal(t, []string{"dify.tenant_id"}, cfg.IndexKeys)
	assert.Equal(t, "refused", cfg.DeadLetterIndex)
	assert.Equal(t, []int{2000, 1024, 0}, []int{cfg.MaxDocumentSize, cfg.MaxDeadLetterSize, int(cfg.MaxDeferredSize)})
	assert.Equal(t, 10*time.Second, cfg.AttemptTimeout)
	assert.Equal(t, RetryConfig{InitialInterval: time.Second, MaxInterval: time.Minute}, cfg.Retry)
	ext := &bulkExtension{cfg: cfg}
	assert.Equal(t, []component.ID{
		component.MustNewIDWithName("file_storage", "queue"),
		component.MustNewIDWithName("basicauth", "opensearch"),
		component.MustNewIDWithName("basicauth", "dashboards"),
	}, ext.Dependencies())
}

func TestValidate(t *testing.T) {
	for id, want := range map[string][]string{
		"opensearch_bulk/sizes": {
			"`max_document_size` must be at least 1024 bytes", "`max_dead_letter_size` must be at least 1024 bytes",
			"`max_deferred_size` must not be negative: 0 puts nothing aside",
		},
		"opensearch_bulk/empty":               {"`storage` is required: name a storage extension, e.g. `storage: file_storage`"},
		"opensearch_bulk/no_endpoint":         {"`setup::enabled` needs `http::endpoint`: set it to OpenSearch's URL, or `setup::enabled: false`"},
		"opensearch_bulk/bad_endpoint":        {"`http::endpoint` must be a URL such as `http://opensearch:9200`"},
		"opensearch_bulk/unparsable_endpoint": {"`http::endpoint` must be a URL such as `http://opensearch:9200`"},
		"opensearch_bulk/login_in_endpoint": {
			"`http::endpoint` must not contain credentials: use `http::auth` with a basicauth extension",
			"`setup::dashboards::endpoint` must not contain credentials: use `setup::dashboards::auth` with a basicauth extension",
		},
		"opensearch_bulk/itself": {"`http::middlewares` must not name \"opensearch_bulk\": the extension would block its own requests"},
		"opensearch_bulk/values": {
			"`index_keys` has \"{dify.tenant_id}\": write attribute names without braces",
			"`dead_letter_index` must be an index name",
			"`setup::auto_expand_replicas` must be a range such as `0-1` or `0-all`, or `false`",
			"`setup::retention_days` must not be negative: 0 keeps indices permanently",
			"`setup::dashboards::endpoint` must be a URL",
			"`attempt_timeout` is 0s: must be from 100ms to 1h",
			"`retry::initial_interval` is 0s: must be from 10ms to 1h",
			"`retry::max_interval` must not be less than `retry::initial_interval`",
		},
	} {
		t.Run(id, func(t *testing.T) {
			cfg, err := loadConfig(t, id)
			require.NoError(t, err)
			err = confmap.Validate(cfg)
			for _, text := range want {
				require.ErrorContains(t, err, text)
			}
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestMisspelledKey(t *testing.T) {
	cfg, err := loadConfig(t, "opensearch_bulk/misspelled")
	require.NoError(t, err)
	require.ErrorContains(t, confmap.Validate(cfg), "`set_up` is not a key; did you mean `setup`?")
}

func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	for days, want := range map[int]time.Duration{0: 3650 * day, 30: 30 * day, math.MaxInt: 36500 * day} {
		cfg := Config{Setup: SetupConfig{RetentionDays: days}}
		assert.Equal(t, want, cfg.retention())
	}
}
