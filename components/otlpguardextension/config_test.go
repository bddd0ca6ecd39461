// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/metadata"
)

func loadConfig(t *testing.T, name string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	return cfg, sub.Unmarshal(cfg)
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
	}{
		{"", func(*Config) {}},
		{"empty", func(*Config) {}},
		{"all", func(cfg *Config) {
			*cfg = Config{
				MaxDepth: 1, MaxItems: 2, MaxAttributes: 3, MaxRequestMemoryMiB: 4, MaxTotalMemoryMiB: 5,
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := createDefaultConfig().(*Config)
			tt.change(want)
			got, err := loadConfig(t, tt.name)
			require.NoError(t, err)
			require.NoError(t, confmap.Validate(got))
			assert.Equal(t, want, got)
		})
	}
}

func TestConfigFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"unknown", []string{"`max_dept` is not a key; did you mean `max_depth`?"}},
		{"zero", []string{
			"`max_depth` must be greater than 0", "`max_items` must be greater than 0",
			"`max_attributes` must be greater than 0", "`max_request_memory_mib` must be greater than 0",
			"`max_total_memory_mib` must be greater than 0",
		}},
		{"high", []string{
			"`max_depth` must not be greater than 1000",
			"`max_request_memory_mib` must not be greater than 1073741824",
			"`max_total_memory_mib` must not be less than `max_request_memory_mib`: the largest request would never be " +
				"accepted",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := loadConfig(t, tt.name)
			if err == nil {
				err = confmap.Validate(cfg)
			}
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
