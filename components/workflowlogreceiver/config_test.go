// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

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

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
)

func load(t *testing.T, name string) (*Config, error) {
	t.Helper()
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	section, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := section.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestConfig(t *testing.T) {
	cfg, err := load(t, "")
	require.NoError(t, err)
	want := createDefaultConfig().(*Config)
	want.Storage = &storageID
	assert.Equal(t, want, cfg)
	assert.Equal(t, "postgresql://localhost:5432/dify", cfg.address())

	cfg, err = load(t, "all")
	require.NoError(t, err)
	want = &Config{
		Driver: "mysql", Installation: "eu-2", Host: "db", Port: 3307, Username: "reader", Password: "hunter2", Database: "dify2",
		TimeZone: "+08:00", Storage: &storageID, AdoptCheckpoint: "mysql://old:3306/dify", StartAt: "2026-11-23T00:00:00Z",
		PollInterval: 5 * time.Second, LookBack: 30 * time.Minute, OutcomeWait: 2 * time.Hour, MaxRunAge: 48 * time.Hour,
		PageSize: 500, StatementTimeout: 3 * time.Second, MaxApps: 10, MetricsInterval: 30 * time.Second,
		TablesInterval: 10 * time.Minute, MaxScanSize: 1 << 20,
	}
	want.TLS.Insecure = true
	assert.Equal(t, want, cfg)
	assert.Equal(t, "mysql://db:3307/dify2", cfg.address())
	assert.NotContains(t, fmt.Sprintf("%+v", cfg), "hunter2")
}

func TestConfigFaults(t *testing.T) {
	for name, messages := range map[string][]string{
		"null": {"`storage` is missing: set it to the ID of a storage extension"},
		"faults": {
			"`schema` is \"dify\": only `driver: postgresql` has schemas", "`time_zone` is \"'; SELECT 1\": must be a name",
			"`driver` is \"sqlite\": must be one of postgresql, mysql, oceanbase, seekdb",
			"`installation` is \"a/b\"", "`host` is empty", "`port` is 70000: must be 1 to 65535", "`username` is empty", "`database` is empty",
			"`storage` is missing",
			"`start_at` is \"yesterday\": must be end, beginning or an RFC 3339 time",
			"`poll_interval` is 0s: must be from 100ms to 1h", "`outcome_wait` is -1s: must be from 1s to 8760h",
			"`max_run_age` is 0s: must be from 1s to 876000h", "`metrics_interval` is 0s: must be from 100ms to 1h",
			"`look_back` is 10ms: must be from 1s to 8760h",
			"`statement_timeout` is 0s: must be from 10ms to 1h", "`page_size` is 0: must be 1 to 10000", "`max_apps` is 0: " +
				"must be at least 1",
		},
		"slow": {"`poll_interval` is 2h: must be from 100ms to 1h"},
		"unit": {
			"`poll_interval` is 5ns: must be from 100ms to 1h; a number without a unit is in ns: " +
				"add the unit, as in `poll_interval: 5s`",
			"`metrics_interval` is 15ns", "`outcome_wait` is 60ns", "`statement_timeout` is 10ns", "`look_back` is 900ns",
			"`max_run_age` is 86.4µs",
		},
		"window": {"`look_back` (24h0m0s) must be shorter than `max_run_age` (24h0m0s)"},
		"tls":    {"tls", "certificate and key"},
		"unknown": {
			"`pol_interval` is not a key; did you mean `poll_interval`?", "`storage` is missing",
		},
		"type": {"port"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, name)
			for _, message := range messages {
				require.ErrorContains(t, err, message)
			}
		})
	}
}

func TestDrivers(t *testing.T) {
	for driver, address := range map[string]string{
		"postgresql": "postgresql://localhost:5432/dify",
		"mysql":      "mysql://localhost:3306/dify",
		"oceanbase":  "mysql://localhost:3306/dify",
		"seekdb":     "mysql://localhost:3306/dify",
	} {
		cfg := createDefaultConfig().(*Config)
		cfg.Driver, cfg.Storage = driver, &storageID
		require.NoError(t, confmap.Validate(cfg))
		assert.Equal(t, address, cfg.address())
	}
}
