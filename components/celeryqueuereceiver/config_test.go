// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func TestLoadConfig(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)

	defaults := createDefaultConfig().(*Config)
	defaults.Endpoint = "redis://:difyai123456@redis:6379/1"
	all := createDefaultConfig().(*Config)
	all.Endpoint = "sentinel://:secret@one:26379/1;sentinel://two/1"
	all.KeyPrefix = "prod"
	all.Queues = []string{"dataset", "mail"}
	all.CollectionInterval = 30 * time.Second
	all.Discovery = DiscoveryConfig{Enabled: true, Interval: 5 * time.Minute, MaxQueues: 50}
	all.TenantQueues = TenantQueuesConfig{Enabled: true, Database: 3, Interval: 2 * time.Minute, MaxQueues: 40}
	all.Sentinel = SentinelConfig{MasterName: "dify", Password: "other"}

	for name, want := range map[string]*Config{"celery_queue": defaults, "celery_queue/all": all} {
		t.Run(name, func(t *testing.T) {
			sub, err := conf.Sub(name)
			require.NoError(t, err)
			got := createDefaultConfig()
			require.NoError(t, sub.Unmarshal(got))
			require.NoError(t, confmap.Validate(got))
			assert.Equal(t, want, got)
		})
	}
}

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"no endpoint": {
			func(c *Config) { c.Endpoint = "" },
			[]string{"`endpoint` must not be empty; set it to Dify's CELERY_BROKER_URL"},
		},
		"not a URL": {
			func(c *Config) { c.Endpoint = "redis:secret@redis/1" },
			[]string{"`endpoint` is not a URL; expected redis://"},
		},
		"a slash in the password": {
			func(c *Config) { c.Endpoint = "redis://:secret/1@redis:6379/1" },
			[]string{"`endpoint` has a port that is not a number up to 65535; if the password has `/`, `?` or `#`, write %2F"},
		},
		"unknown cert_reqs": {
			func(c *Config) { c.CertReqs = "maybe" },
			[]string{"`cert_reqs` must be CERT_REQUIRED, CERT_OPTIONAL or CERT_NONE"},
		},
		"another broker": {
			func(c *Config) { c.Endpoint = "amqp://user:secret@rabbit" },
			[]string{"`endpoint` must begin with redis://, rediss://, sentinel:// or redis+socket://"},
		},
		"no host": {
			func(c *Config) { c.Endpoint = "redis:///1" },
			[]string{"`endpoint` has no host"},
		},
		"database by name": {
			func(c *Config) { c.Endpoint = "redis://redis/broker" },
			[]string{"`endpoint` must have the number of the database as its path"},
		},
		"several plain servers": {
			func(c *Config) { c.Endpoint = "redis://:secret@one/1;redis://:secret@two/1" },
			[]string{"`endpoint` may have several URLs, separated by `;`, only if they are sentinel://"},
		},
		"unknown certificate rule": {
			func(c *Config) { c.Endpoint = "rediss://redis/1?ssl_cert_reqs=maybe" },
			[]string{"`endpoint` must have \"required\", \"optional\" or \"none\" as ssl_cert_reqs"},
		},
		"sentinel without a name": {
			func(c *Config) { c.Endpoint = "sentinel://:secret@one/1" },
			[]string{"`sentinel::master_name` must not be empty with a sentinel:// endpoint"},
		},
		"all faults at once": {
			func(c *Config) { c.Endpoint, c.Queues = "", []string{"mail", "", "mail"} },
			[]string{"`endpoint` must not be empty", "`queues[1]` must not be empty", "`queues[2]`: \"mail\" is listed twice"},
		},
		"discovery without a pace": {
			func(c *Config) { c.Discovery = DiscoveryConfig{Enabled: true, MaxQueues: 100} },
			[]string{"`discovery::interval` is 0s: must be from 1s to 24h"},
		},
		"fewer queues than named": {
			func(c *Config) { c.Discovery.Enabled, c.Discovery.MaxQueues = true, 1 },
			[]string{"`discovery::max_queues` must be at least the number of queues, 26"},
		},
		"no queues": {
			func(c *Config) { c.Queues = nil },
			[]string{"`queues` must not be empty; leave the key out"},
		},
		"durations without a unit": {
			func(c *Config) { c.CollectionInterval, c.Timeout, c.InitialDelay, c.Discovery.Interval = 15, 5, -1, 60 },
			[]string{
				"`collection_interval` is 15ns: must be from 1s to 1h; a number without a unit is in ns: " +
					"add the unit, as in `collection_interval: 15s`",
				"`timeout` is 5ns: must be from 100ms to 1m", "`initial_delay` is -1ns: must be from 0s to 1h",
				"`discovery::interval` is 60ns: must be from 1s to 24h",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			cfg.Endpoint = "redis://redis:6379/1"
			tt.change(cfg)
			err := confmap.Validate(cfg)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "sec")
		})
	}
}

func TestMisspeltKey(t *testing.T) {
	conf := confmap.NewFromStringMap(map[string]any{"endpiont": "redis://redis:6379/1"})
	cfg := createDefaultConfig()
	require.NoError(t, conf.Unmarshal(cfg))
	err := confmap.Validate(cfg)
	require.ErrorContains(t, err, "`endpiont` is not a key; did you mean `endpoint`?")
	require.ErrorContains(t, err, "`endpoint` must not be empty")
}

func TestEndpointIsOpaque(t *testing.T) {
	text, err := configopaque.String("redis://:secret@redis:6379/1").MarshalText()
	require.NoError(t, err)
	assert.NotContains(t, string(text), "secret")
}
