// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"regexp"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/containerlog"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/limits"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
)

// The functions of this file convert the configuration, which Validate has checked, to the settings of the passes.

func noiseSettings(cfg *DropConfig) noise.Settings {
	set := noise.Settings{
		ParseError:     cfg.ParseError,
		ContextDetach:  cfg.ContextDetach,
		HealthCheck:    cfg.HealthCheck,
		BrokerPolling:  cfg.BrokerPolling,
		NoScript:       cfg.NoScript,
		BrokerDatabase: cfg.BrokerDatabase,
	}
	for i := range cfg.Rules {
		r := &cfg.Rules[i]
		set.Rules = append(set.Rules, noise.Rule{
			Name:             r.Name,
			Drops:            r.Drops,
			Errors:           r.Errors,
			SpanName:         r.SpanName,
			SpanNameRegexp:   r.SpanNameRegexp,
			SpanKind:         r.SpanKind,
			Root:             r.Root,
			EventName:        r.EventName,
			ExceptionType:    r.ExceptionType,
			Text:             r.Text,
			TextRegexp:       r.TextRegexp,
			Attributes:       r.Attributes,
			AttributesRegexp: r.AttributesRegexp,
		})
	}
	return set
}

// retention returns the age from which an item's own time is not plausible.
func (c *LimitsConfig) retention() time.Duration {
	const day, most = 24 * time.Hour, 36500 // days, of the 106,751 that a duration can have
	if c.RetentionDays == 0 {
		return 3650 * day
	}
	return time.Duration(min(c.RetentionDays, most)) * day
}

// limitsSettings leaves values whole that redaction removes or hashes, since earlier passes read them.
func limitsSettings(cfg *LimitsConfig, removes func(key string) bool) limits.Settings {
	return limits.Settings{
		MaxStringLength:    cfg.MaxStringLength,
		MaxItemSize:        cfg.MaxItemSize,
		MaxPointSize:       cfg.MaxPointSize,
		MaxDepth:           cfg.MaxDepth,
		MaxAttributes:      cfg.MaxAttributes,
		MaxEvents:          cfg.MaxEvents,
		MaxLinks:           cfg.MaxLinks,
		MaxBuckets:         cfg.MaxBuckets,
		PrometheusNames:    cfg.PrometheusNames,
		ConvertExponential: cfg.ConvertExponentialHistograms,
		Whole:              removes,
	}
}

func redactionSettings(cfg *RedactionConfig) redaction.Settings {
	set := redaction.Settings{
		Audit:           cfg.Mode == redactionAudit,
		Keys:            cfg.Keys,
		KeepUnknown:     cfg.Unknown == redaction.ActionKeep,
		UserIDs:         cfg.UserIDs,
		TruncateTo:      cfg.TruncateTo,
		HashKey:         string(cfg.HashKey),
		SQL:             cfg.SQL,
		URLQueries:      cfg.URLQueries,
		Messages:        cfg.Messages,
		Secrets:         cfg.Secrets,
		CapabilityPaths: cfg.CapabilityPaths,
	}
	for _, pattern := range cfg.SecretPatterns {
		set.SecretPatterns = append(set.SecretPatterns, regexp.MustCompile(pattern))
	}
	return set
}

// newJoiner returns nil if lines are not turned into records.
func newJoiner(cfg *Config) (*containerlog.Joiner, error) {
	if !cfg.Logs.Lines {
		return nil, nil
	}
	zone, err := time.LoadLocation(cfg.Logs.TimeZone)
	if err != nil {
		return nil, err
	}
	return containerlog.NewJoiner(containerlog.Settings{
		TimeZone:         zone,
		ServiceName:      cfg.Logs.ServiceName,
		ServiceNamespace: cfg.ServiceNamespace,
		JoinWait:         cfg.Logs.JoinWait,
	}), nil
}
