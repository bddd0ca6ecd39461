// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
)

func loadConfig(t *testing.T, name string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestDefaultConfigIsOff(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.Validate(cfg))
	assert.True(t, cfg.disabled())
	assert.Equal(t, 24*time.Hour, cfg.MaxAge)
	assert.Equal(t, 30*time.Second, cfg.RunWindow)
	assert.Equal(t, time.Minute, cfg.RootWait)
	assert.Equal(t, "error", cfg.Logs.MinSeverity)
	assert.True(t, cfg.QueueConfig.HasValue())
	assert.True(t, cfg.RetryConfig.Enabled)
}

func TestConfigLoads(t *testing.T) {
	cfg, err := loadConfig(t, "all")
	require.NoError(t, err)
	storage := component.MustNewIDWithName("file_storage", "queue")
	assert.Equal(t, "STAGING", cfg.Environment)
	assert.Equal(t, "dify-1.16.1-0123abc", cfg.Release)
	assert.InDelta(t, 0.25, cfg.TracesSampleRate, 0)
	assert.InDelta(t, 0.5, cfg.SampleRate, 0)
	assert.Equal(t, 5*time.Second, cfg.RootWait)
	assert.Equal(t, 16, cfg.RootWaitMiB)
	assert.Equal(t, []string{"openai.APIStatusError"}, cfg.IgnoreErrors)
	assert.Equal(t, time.Hour, cfg.MaxAge)
	assert.Equal(t, time.Minute, cfg.RunWindow)
	assert.Equal(t, &storage, cfg.Storage)
	assert.Equal(t, &storage, cfg.QueueConfig.Get().StorageID)
	assert.Equal(t, "warn", cfg.Logs.MinSeverity)
	assert.False(t, cfg.ClientReports)
	assert.Equal(t, 7*time.Second, cfg.ClientConfig.Timeout)
	assert.Equal(t, "http://proxy:3128", cfg.ClientConfig.ProxyURL)
	assert.EqualValues(t, "zstd", cfg.ClientConfig.Compression)
	assert.Zero(t, cfg.RetryConfig.MaxElapsedTime)
	assert.EqualValues(t, 50, cfg.QueueConfig.Get().QueueSize)
	require.Len(t, cfg.Routes, 2)
	assert.Equal(t, []string{"a", "b"}, cfg.Routes[0].Values)
	assert.Empty(t, string(cfg.Routes[1].DSN))
	assert.NotContains(
		t,
		fmt.Sprintf("%v %+v %#v", cfg.DSN, cfg, cfg.Routes),
		"secretkey",
		"a printed configuration hides the keys",
	)
}

func TestEmptySectionIsValid(t *testing.T) {
	_, err := loadConfig(t, "empty")
	require.NoError(t, err)
}

func TestConfigErrors(t *testing.T) {
	for name, want := range map[string][]string{
		"unknown_key": {"`dns` is not a key; did you mean `dsn`?"},
		"wrong_type":  {"traces_sample_rate"},
		"dsn_no_url": {"`dsn` is not a Sentry DSN: it is not a URL; it looks like " +
			"https://<key>@<host>/<project number>"},
		"dsn_scheme":       {"`dsn` is not a Sentry DSN: it does not begin with http:// or https://"},
		"dsn_no_key":       {"`dsn` is not a Sentry DSN: it has no public key before the @"},
		"dsn_no_host":      {"`dsn` is not a Sentry DSN: it has no host"},
		"dsn_no_project":   {"`dsn` is not a Sentry DSN: it has no project number at its end"},
		"dsn_word_project": {"`dsn` is not a Sentry DSN: its project is not a number"},
		"names":            {"`environment` must have at most 64 characters", "`release` must have at most 200 characters"},
		"numbers": {
			"`sample_rate` must be from 0 (no errors) to 1 (all)", "`root_wait` is -1s: must be from 1ms to 1h; 0 sends spans immediately",
			"`root_wait_mib` must be at least 1",
			"`traces_sample_rate` must be from 0 (no transactions) to 1 (all)",
			"`max_age` is -1s: must be from 1m to 876000h; 0 means no limit",
			"`run_window` is -1s: must be from 1ms to 1h; 0 reports a failed run immediately",
			"`timeout` is -1s: must be from 100ms to 10m; 0 means no limit",
			"`logs::min_severity` must be trace, debug, info, warn, error, fatal or off",
		},
		"routes": {
			"`routes[0]::attribute` must name the attribute to route by, like dify.tenant_id",
			"`routes[0]::values` must list at least one value of the attribute",
			"`routes[1]::dsn` is not a Sentry DSN: it has no public key before the @",
			"`routes[2]::values`: \"a\" is already routed by routes[1]; remove one",
		},
		"ignored": {"`ignore_errors` must list class names, like ValueError or httpx.ConnectError; one is empty"},
		"transport": {
			"`endpoint` is not used: the address is part of `dsn`; remove it",
			"`compression` must be gzip, deflate, zstd or none: Sentry accepts no other",
			"`sending_queue::batch` must stay unset: Sentry accepts one event or transaction per request",
		},
		"queue": {"`queue_size` must be positive"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadConfig(t, name)
			require.Error(t, err)
			for _, w := range want {
				require.ErrorContains(t, err, w)
			}
			assert.NotContains(t, err.Error(), "secretkey")
		})
	}
}
