// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/config/configcompression"

	"github.com/otelcol-dify/otelcol-dify/components/internal/configcheck"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/convert"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/delivery"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

var durationRanges = map[string]configcheck.Range{
	// The upper end lets recorded telemetry be sent again.
	"max_age":    {Min: time.Minute, Max: 100 * configcheck.Year, Zero: "means no limit"},
	"run_window": {Min: time.Millisecond, Max: time.Hour, Zero: "reports a failed run immediately"},
	"root_wait":  {Min: time.Millisecond, Max: time.Hour, Zero: "sends spans immediately, with or without their root"},
	"timeout":    {Min: 100 * time.Millisecond, Max: 10 * time.Minute, Zero: "means no limit"},

	"retry_on_failure::initial_interval": {Min: 10 * time.Millisecond, Max: time.Hour},
	"retry_on_failure::max_interval":     {Min: 10 * time.Millisecond, Max: configcheck.Day},
	"retry_on_failure::max_elapsed_time": {Min: time.Second, Max: configcheck.Year, Zero: "retries without end"},
}

// Validate reports every fault of the configuration at once.
func (cfg *Config) Validate() error {
	return errors.Join(
		cfg.decoding,
		configcheck.Durations(cfg, durationRanges),
		validateDSN("dsn", string(cfg.DSN)),
		validateRoutes(cfg.Routes),
		validateName("environment", cfg.Environment, protocol.MaxEnvironment),
		validateName("release", cfg.Release, protocol.MaxRelease),
		cfg.validateNumbers(),
		cfg.validateIgnored(),
		cfg.validateLinks(),
		cfg.validateTransport(),
	)
}

func validateDSN(key, dsn string) error {
	if dsn == "" {
		return nil
	}
	if _, err := delivery.ParseDSN(dsn); err != nil {
		return fmt.Errorf("`%s` is not a Sentry DSN: %w; it looks like https://<key>@<host>/<project number>", key, err)
	}
	return nil
}

func validateRoutes(routes []Route) error {
	var errs []error
	seen := map[string]int{}
	for i, r := range routes {
		key := fmt.Sprintf("routes[%d]", i)
		if r.Attribute == "" {
			errs = append(errs, fmt.Errorf("`%s::attribute` must name the attribute to route by, like dify.tenant_id", key))
		}
		if len(r.Values) == 0 {
			errs = append(errs, fmt.Errorf("`%s::values` must list at least one value of the attribute", key))
		}
		for _, v := range r.Values {
			if first, ok := seen[r.Attribute+"\x00"+v]; ok {
				errs = append(errs, fmt.Errorf("`%s::values`: %q is already routed by routes[%d]; remove one", key, v, first))
				continue
			}
			seen[r.Attribute+"\x00"+v] = i
		}
		errs = append(errs, validateDSN(key+"::dsn", string(r.DSN)))
	}
	return errors.Join(errs...)
}

// validateName rejects names that Sentry would silently remove from events.
func validateName(key, name string, limit int) error {
	if name == "" {
		return nil
	}
	if len(name) > limit || strings.ContainsAny(name, protocol.ForbiddenInName) || protocol.Reserved(name) {
		return fmt.Errorf(
			"`%s` must have at most %d characters without / \\ tab or line break and not be a reserved word like none "+
				"or latest, or Sentry removes it",
			key,
			limit,
		)
	}
	return nil
}

func (cfg *Config) validateNumbers() error {
	var errs []error
	if !(cfg.SampleRate >= 0 && cfg.SampleRate <= 1) { // NaN is neither
		errs = append(errs, errors.New("`sample_rate` must be from 0 (no errors) to 1 (all)"))
	}
	if !(cfg.TracesSampleRate >= 0 && cfg.TracesSampleRate <= 1) {
		errs = append(errs, errors.New("`traces_sample_rate` must be from 0 (no transactions) to 1 (all)"))
	}
	if cfg.RootWaitMiB < 1 {
		errs = append(errs, errors.New("`root_wait_mib` must be at least 1; `root_wait: 0` lets no span wait"))
	}
	if _, ok := convert.Severities[cfg.Logs.MinSeverity]; !ok {
		errs = append(errs, errors.New("`logs::min_severity` must be trace, debug, info, warn, error, fatal or off"))
	}
	return errors.Join(errs...)
}

func (cfg *Config) validateIgnored() error {
	if slices.Contains(cfg.IgnoreErrors, "") {
		return errors.New("`ignore_errors` must list class names, like ValueError or httpx.ConnectError; one is empty")
	}
	return nil
}

func (cfg *Config) validateLinks() error {
	var errs []error
	for key, template := range map[string]string{"trace": cfg.Links.Trace, "run": cfg.Links.Run} {
		if err := convert.ValidateLink(template); err != nil {
			errs = append(errs, fmt.Errorf("`links::%s`: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

func (cfg *Config) validateTransport() error {
	var errs []error
	if cfg.ClientConfig.Endpoint != "" {
		errs = append(errs, errors.New("`endpoint` is not used: the address is part of `dsn`; remove it"))
	}
	switch cfg.ClientConfig.Compression {
	case configcompression.TypeGzip, configcompression.TypeDeflate, configcompression.TypeZstd, "none", "":
	default:
		errs = append(errs, errors.New("`compression` must be gzip, deflate, zstd or none: Sentry accepts no other"))
	}
	if queue := cfg.QueueConfig.Get(); queue != nil && queue.Batch.HasValue() {
		errs = append(
			errs,
			errors.New("`sending_queue::batch` must stay unset: Sentry accepts one event or transaction per request"),
		)
	}
	return errors.Join(errs...)
}
