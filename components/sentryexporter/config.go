// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/getsentry/sentry-go"

	"github.com/otelcol-dify/otelcol-dify/components/internal/configcheck"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/convert"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/delivery"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/route"
)

// Config is what operators write under `sentry:`.
type Config struct {
	// DSN of the Sentry project for what no route matches. If it is empty, that is not sent.
	DSN configopaque.String `mapstructure:"dsn"`

	// Environment and Release, if set, replace what the resource says.
	Environment string `mapstructure:"environment"`
	Release     string `mapstructure:"release"`

	// TracesSampleRate is the fraction of traces whose transactions are sent, 0 to 1. The trace ID decides, so that a
	// trace is complete or absent.
	TracesSampleRate float64 `mapstructure:"traces_sample_rate"`

	// SampleRate is the fraction of traces whose errors are sent, 0 to 1, decided in the same way: at equal rates, a trace
	// whose transactions are sent has its errors too.
	SampleRate float64 `mapstructure:"sample_rate"`

	// IgnoreErrors are exception classes, with or without their module, that are not sent. Known subclasses are not sent
	// either.
	IgnoreErrors []string `mapstructure:"ignore_errors"`

	// Routes send telemetry with a certain attribute to another project. The first that matches wins.
	Routes []Route `mapstructure:"routes"`

	// MaxAge is how old an item may be when it is sent; older ones are counted instead. 0 means no limit.
	MaxAge time.Duration `mapstructure:"max_age"`

	// Storage is the ID of a storage extension for pending failed runs. Without it they are in memory.
	Storage *component.ID `mapstructure:"storage"`

	// RunWindow is how long a failed run waits for an exception of its own before it is reported itself.
	RunWindow time.Duration `mapstructure:"run_window"`

	// RootWait is how long spans wait for their root, and RootWaitMiB how much memory they may take. After that they are
	// sent without it.
	RootWait    time.Duration `mapstructure:"root_wait"`
	RootWaitMiB int           `mapstructure:"root_wait_mib"`

	// ClientRoots makes transactions of calls to databases, Redis and other services that are below no request, task or
	// run.
	ClientRoots bool `mapstructure:"client_roots"`

	// Links are templates of the URLs to which error events link.
	Links LinksConfig `mapstructure:"links"`

	// Logs decides which log records become Sentry logs.
	Logs LogsConfig `mapstructure:"logs"`

	// ClientReports reports to Sentry what was discarded here. Servers older than Sentry 21.9 do not support this.
	ClientReports bool `mapstructure:"client_reports"`

	// ClientConfig are the collector's HTTP client settings; the DSN replaces `endpoint`.
	ClientConfig confighttp.ClientConfig                                  `mapstructure:",squash"`
	QueueConfig  configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	RetryConfig  configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`

	// decoding is the error of Unmarshal, which Validate returns.
	decoding error
}

// Route is one rule of `routes`.
type Route struct {
	// Attribute is looked up on the resource, then on the log record or on any span of the transaction.
	Attribute string `mapstructure:"attribute"`
	// Values of the attribute that this route matches.
	Values []string `mapstructure:"values"`
	// DSN of the project. If it is empty, what matches is not sent.
	DSN configopaque.String `mapstructure:"dsn"`
}

// LinksConfig is the section `links`.
type LinksConfig struct {
	// Trace and Run are URLs with names of values in braces, like {trace_id}. An empty one makes no link.
	Trace string `mapstructure:"trace"`
	Run   string `mapstructure:"run"`
}

// LogsConfig is the section `logs`.
type LogsConfig struct {
	// MinSeverity of the log records that become Sentry logs: trace, debug, info, warn, error, fatal or off.
	MinSeverity string `mapstructure:"min_severity"`
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 30 * time.Second
	client.Compression = configcompression.TypeGzip
	client.CompressionParams.Level = 1 // a quarter less CPU time than the default level, an eighth more bytes
	// More than the consumers of one queue, so that each keeps its connection.
	client.Keepalive.Get().MaxIdleConnsPerHost = 20
	return &Config{
		SampleRate:       1,
		TracesSampleRate: 1,
		RootWait:         time.Minute,
		RootWaitMiB:      64,
		IgnoreErrors:     difysemconv.ExpectedErrors(),
		MaxAge:           24 * time.Hour,
		RunWindow:        30 * time.Second,
		Logs:             LogsConfig{MinSeverity: "error"},
		ClientReports:    true,
		ClientConfig:     client,
		QueueConfig:      configoptional.Some(exporterhelper.NewDefaultQueueConfig()),
		RetryConfig:      configretry.NewDefaultBackOffConfig(),
	}
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Validator   = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// Unmarshal leaves its errors to Validate, which returns them with all others.
func (cfg *Config) Unmarshal(conf *confmap.Conf) error {
	cfg.decoding = configcheck.Decode(conf, cfg)
	return nil
}

// disabled reports whether nothing can be sent at all.
func (cfg *Config) disabled() bool {
	return cfg.DSN == "" && !slices.ContainsFunc(cfg.Routes, func(r Route) bool { return r.DSN != "" })
}

// queueStorage returns the ID of the queues' storage extension; nil if queues are in memory.
func (cfg *Config) queueStorage() *component.ID {
	if queue := cfg.QueueConfig.Get(); queue != nil {
		return queue.StorageID
	}
	return nil
}

func (cfg *Config) convertSettings(sdk sentry.SdkInfo) convert.Settings {
	return convert.Settings{
		SDK: sdk, SampleRate: cfg.SampleRate, TracesSampleRate: cfg.TracesSampleRate,
		ClientRoots:  cfg.ClientRoots,
		IgnoreErrors: cfg.IgnoreErrors, MinSeverity: cfg.Logs.MinSeverity,
		Links: convert.Links(cfg.Links),
	}
}

func (cfg *Config) routeRules() []route.Rule {
	rules := make([]route.Rule, len(cfg.Routes))
	for i, r := range cfg.Routes {
		rules[i] = route.Rule{Attribute: r.Attribute, Values: r.Values}
	}
	return rules
}

func (cfg *Config) routeDSNs() []delivery.RouteDSN {
	out := make([]delivery.RouteDSN, len(cfg.Routes))
	for i, r := range cfg.Routes {
		out[i].DSN = string(r.DSN)
		for _, v := range r.Values {
			out[i].Routes = append(out[i].Routes, item.Route{Attribute: r.Attribute, Value: v})
		}
	}
	return out
}
