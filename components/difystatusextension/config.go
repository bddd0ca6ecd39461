// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difystatusextension

import (
	"errors"
	"fmt"
	"net"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/configcheck"
)

// Config is the configuration of `dify_status`.
type Config struct {
	// Endpoint is the address of the page.
	Endpoint string `mapstructure:"endpoint"`
	// Key is the password that the page asks for, with any user name. Empty: none.
	Key configopaque.String `mapstructure:"key"`
	// Interval is how often the collector's own metrics are read, for rates and for times of the last success.
	Interval time.Duration `mapstructure:"interval"`

	// decoding is the error of Unmarshal, which Validate returns.
	decoding error

	_ struct{}
}

var durationRanges = map[string]configcheck.Range{"interval": {Min: time.Second, Max: 10 * time.Minute}}

var _ confmap.Unmarshaler = (*Config)(nil)

func createDefaultConfig() component.Config {
	return &Config{Endpoint: "127.0.0.1:13134", Interval: 15 * time.Second}
}

// Unmarshal leaves its errors to Validate, which returns them with all others.
func (cfg *Config) Unmarshal(conf *confmap.Conf) error {
	cfg.decoding = configcheck.Decode(conf, cfg)
	return nil
}

// Validate reports all faults at once.
func (cfg *Config) Validate() error {
	errs := []error{cfg.decoding, configcheck.Durations(cfg, durationRanges)}
	if _, _, err := net.SplitHostPort(cfg.Endpoint); err != nil {
		errs = append(errs, fmt.Errorf("`endpoint` must be an address such as 127.0.0.1:13134 "+
			"(OTELCOL_STATUS_ENDPOINT): %w", err))
	}
	return errors.Join(errs...)
}
