// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/internal/configcheck"
	"github.com/otelcol-dify/otelcol-dify/components/internal/installation"
)

// Config is the receiver's section in the collector's configuration.
type Config struct {
	scraperhelper.ControllerConfig `mapstructure:",squash"`
	metadata.MetricsBuilderConfig  `mapstructure:",squash"`

	// Endpoint is Dify's CELERY_BROKER_URL, unchanged: redis://, rediss://, redis+socket:// or, for Sentinel, one or more
	// sentinel:// separated by `;`. It may contain a password.
	Endpoint configopaque.String `mapstructure:"endpoint"`

	// Installation is the name of this Dify, if there are several, on the receiver's own metrics.
	Installation string `mapstructure:"installation"`

	// KeyPrefix is Dify's REDIS_KEY_PREFIX, without the colon that Celery appends.
	KeyPrefix string `mapstructure:"key_prefix"`

	// Queues are the queues to report. The default is every queue of a self-hosted Dify, including those that no worker
	// reads by default.
	Queues []string `mapstructure:"queues"`

	// Discovery adds queues that Dify's workers have declared to Queues.
	Discovery DiscoveryConfig `mapstructure:"discovery"`

	// TenantQueues are the queues that Dify keeps for each tenant in its own database.
	TenantQueues TenantQueuesConfig `mapstructure:"tenant_queues"`

	// TLS is used with rediss:// only.
	TLS configtls.ClientConfig `mapstructure:"tls"`

	// CertReqs is Dify's REDIS_SSL_CERT_REQS: CERT_REQUIRED, CERT_OPTIONAL or CERT_NONE. Empty is CERT_REQUIRED. An
	// ssl_cert_reqs in the URL takes precedence.
	CertReqs string `mapstructure:"cert_reqs"`

	// Sentinel is used with sentinel:// only.
	Sentinel SentinelConfig `mapstructure:"sentinel"`

	// decoding is the error of Unmarshal, which Validate returns.
	decoding error
}

// DiscoveryConfig is for custom queues, like those of CELERY_WORKER_QUEUES.
type DiscoveryConfig struct {
	// Enabled makes the receiver look for queues in Redis.
	Enabled bool `mapstructure:"enabled"`
	// Interval is the time between two searches, each of which iterates over all keys of the broker's database.
	Interval time.Duration `mapstructure:"interval"`
	// MaxQueues limits the number of all queues, including those in Queues.
	MaxQueues int `mapstructure:"max_queues"`
}

// TenantQueuesConfig is for tasks that wait before they reach the broker, because their tenant already has others.
type TenantQueuesConfig struct {
	// Enabled makes the receiver read them.
	Enabled bool `mapstructure:"enabled"`
	// Database is Dify's REDIS_DB, on the broker's server.
	Database int `mapstructure:"database"`
	// Interval is the time between two searches, each of which iterates over all keys of the database.
	Interval time.Duration `mapstructure:"interval"`
	// MaxQueues limits the number of queues, one per tenant and kind; with more, none is reported.
	MaxQueues int `mapstructure:"max_queues"`
}

// SentinelConfig has what a sentinel:// URL does not contain.
type SentinelConfig struct {
	// MasterName is Dify's CELERY_SENTINEL_MASTER_NAME.
	MasterName string `mapstructure:"master_name"`
	// Password is Dify's CELERY_SENTINEL_PASSWORD: the sentinels' own, not the broker's.
	Password configopaque.String `mapstructure:"password"`
}

// durationRanges are what the receiver may ask of Redis, and how late it may see a backlog.
var durationRanges = map[string]configcheck.Range{
	"collection_interval":     {Min: time.Second, Max: time.Hour},
	"initial_delay":           {Min: 0, Max: time.Hour},
	"timeout":                 {Min: 100 * time.Millisecond, Max: time.Minute, Zero: "is `collection_interval`"},
	"discovery::interval":     {Min: time.Second, Max: configcheck.Day},
	"tenant_queues::interval": {Min: time.Second, Max: 4 * time.Minute}, // a gauge expires after five
}

var _ confmap.Unmarshaler = (*Config)(nil)

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = 15 * time.Second
	controller.Timeout = 5 * time.Second
	return &Config{
		ControllerConfig:     controller,
		MetricsBuilderConfig: metadata.NewDefaultMetricsBuilderConfig(),
		Queues:               defaultQueues(),
		Discovery:            DiscoveryConfig{Interval: time.Minute, MaxQueues: 200},
		TenantQueues:         TenantQueuesConfig{Interval: time.Minute, MaxQueues: 100_000},
	}
}

// Unmarshal leaves its errors to Validate, which returns them with all others.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	c.decoding = configcheck.Decode(conf, c)
	return nil
}

// Validate reports every fault of the configuration at once.
func (c *Config) Validate() error {
	errs := []error{c.decoding, installation.Validate(c.Installation), configcheck.Durations(c, durationRanges)}
	if c.Endpoint == "" {
		errs = append(errs, errors.New("`endpoint` must not be empty; set it to Dify's CELERY_BROKER_URL, "+
			"like redis://:password@redis:6379/1"))
	} else if b, err := parseBroker(string(c.Endpoint)); err != nil {
		errs = append(errs, fmt.Errorf("`endpoint` %w", err))
	} else if b.sentinel && c.Sentinel.MasterName == "" {
		errs = append(errs, errors.New("`sentinel::master_name` must not be empty with a sentinel:// endpoint; "+
			"set it to Dify's CELERY_SENTINEL_MASTER_NAME"))
	}
	if _, err := verifies(c.CertReqs); c.CertReqs != "" && err != nil {
		errs = append(errs, errors.New("`cert_reqs` must be CERT_REQUIRED, CERT_OPTIONAL or CERT_NONE, as Dify's "+
			"REDIS_SSL_CERT_REQS"))
	}
	if len(c.Queues) == 0 {
		errs = append(errs, errors.New("`queues` must not be empty; leave the key out for all of Dify's queues"))
	}
	if c.Discovery.Enabled && c.Discovery.MaxQueues < len(c.Queues) {
		errs = append(errs, fmt.Errorf("`discovery::max_queues` must be at least the number of queues, %d", len(c.Queues)))
	}
	if c.TenantQueues.Database < 0 {
		errs = append(errs, errors.New("`tenant_queues::database` must not be negative; set it to Dify's REDIS_DB"))
	}
	if c.TenantQueues.MaxQueues < 1 {
		errs = append(errs, errors.New("`tenant_queues::max_queues` must be positive"))
	}
	seen := make(map[string]bool, len(c.Queues))
	for i, q := range c.Queues {
		switch {
		case q == "":
			errs = append(errs, fmt.Errorf("`queues[%d]` must not be empty", i))
		case seen[q]:
			errs = append(errs, fmt.Errorf("`queues[%d]`: %q is listed twice; remove one", i, q))
		}
		seen[q] = true
	}
	return errors.Join(errs...)
}
