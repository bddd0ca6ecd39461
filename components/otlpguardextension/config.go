// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/configcheck"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/scan"
)

// Config is the configuration of `otlp_guard`.
type Config struct {
	// MaxDepth is the number of maps and lists that may be nested in a value.
	MaxDepth int `mapstructure:"max_depth"`

	// MaxItems is the number of spans, data points or log records in a request.
	MaxItems int `mapstructure:"max_items"`

	// MaxAttributes is the number of attributes in a request, those of nested maps and the elements of lists included.
	MaxAttributes int `mapstructure:"max_attributes"`

	// MaxRequestMemoryMiB is the memory that one request may need, in MiB.
	MaxRequestMemoryMiB int `mapstructure:"max_request_memory_mib"`

	// MaxTotalMemoryMiB is the memory that all requests may need together, in MiB.
	MaxTotalMemoryMiB int `mapstructure:"max_total_memory_mib"`

	// decoding is the error of Unmarshal, which Validate returns.
	decoding error

	_ struct{}
}

var _ confmap.Unmarshaler = (*Config)(nil)

// Unmarshal leaves its errors to Validate, which returns them with all others.
func (cfg *Config) Unmarshal(conf *confmap.Conf) error {
	cfg.decoding = configcheck.Decode(conf, cfg)
	return nil
}

const (
	mib = 1 << 20

	// highestDepth bounds max_depth: the scan and the decoder descend recursively.
	highestDepth = 1000
	// highestMemoryMiB bounds the memory such that bytes fit a number of 64 bits.
	highestMemoryMiB = 1 << 30
)

func createDefaultConfig() component.Config {
	return &Config{
		MaxDepth:            64,
		MaxItems:            100_000,
		MaxAttributes:       1_000_000,
		MaxRequestMemoryMiB: 256,
		MaxTotalMemoryMiB:   512,
	}
}

// Validate reports all faults at once.
func (cfg *Config) Validate() error {
	errs := []error{
		cfg.decoding,
		inRange("max_depth", cfg.MaxDepth, highestDepth),
		inRange("max_items", cfg.MaxItems, 0),
		inRange("max_attributes", cfg.MaxAttributes, 0),
		inRange("max_request_memory_mib", cfg.MaxRequestMemoryMiB, highestMemoryMiB),
		inRange("max_total_memory_mib", cfg.MaxTotalMemoryMiB, highestMemoryMiB),
	}
	if cfg.MaxTotalMemoryMiB < cfg.MaxRequestMemoryMiB {
		errs = append(errs, errors.New("`max_total_memory_mib` must not be less than `max_request_memory_mib`: "+
			"the largest request would never be accepted"))
	}
	return errors.Join(errs...)
}

// inRange checks that a number is positive and not above a maximum; 0: none.
func inRange(key string, value, highest int) error {
	if value <= 0 {
		return fmt.Errorf("`%s` must be greater than 0", key)
	}
	if highest > 0 && value > highest {
		return fmt.Errorf("`%s` must not be greater than %d", key, highest)
	}
	return nil
}

// limits returns what a request may contain of which a number of bytes is reserved already.
func (cfg *Config) limits(reserved int64) scan.Limits {
	return scan.Limits{Depth: cfg.MaxDepth, Size: scan.Size{
		Items:      cfg.MaxItems,
		Attributes: cfg.MaxAttributes,
		Memory:     int64(cfg.MaxRequestMemoryMiB)*mib - reserved,
	}}
}
