// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/configcheck"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
)

// Config is what an operator writes under `opensearch_bulk`.
type Config struct {
	// Storage is the id of the storage extension that keeps what is in flight when the collector stops during an outage.
	Storage *component.ID `mapstructure:"storage"`

	// HTTP is the client for the extension's own requests: setup, stored documents, dead letters. Without an endpoint
	// stored documents and dead letters are sent with the exporter's client.
	HTTP confighttp.ClientConfig `mapstructure:"http"`

	// Setup prepares OpenSearch and OpenSearch Dashboards on start.
	Setup SetupConfig `mapstructure:"setup"`

	// Format is the form of spans' documents: the exporter's own (ss4o), or that of OpenSearch's trace views (otel-v1).
	Format bulkapi.Format `mapstructure:"format"`

	// IndexKeys are the attributes that are allowed as `{key}` in an exporter's index name. Each value creates an index
	// per day, so ids of users or runs don't belong here.
	IndexKeys []string `mapstructure:"index_keys"`

	// DeadLetterIndex receives the documents that OpenSearch permanently rejects.
	DeadLetterIndex string `mapstructure:"dead_letter_index"`

	// MaxDocumentSize is the largest document that is sent, in bytes; a larger one becomes a dead letter.
	MaxDocumentSize int `mapstructure:"max_document_size"`

	// MaxDeadLetterSize is the size to which the document in a dead letter is cut, in bytes.
	MaxDeadLetterSize int `mapstructure:"max_dead_letter_size"`

	// MaxDeferredSize is how many bytes of documents that wait for their index are put aside. Further ones hold up
	// the requests that they are in.
	MaxDeferredSize int64 `mapstructure:"max_deferred_size"`

	// AttemptTimeout ends an attempt without a response; the request is then sent again.
	AttemptTimeout time.Duration `mapstructure:"attempt_timeout"`

	// Retry is the pause between attempts.
	Retry RetryConfig `mapstructure:"retry"`

	// decoding is the error of Unmarshal, which Validate returns.
	decoding error

	_ struct{}
}

// SetupConfig is what an operator writes under `setup`.
type SetupConfig struct {
	// Enabled turns the setup of OpenSearch on.
	Enabled bool `mapstructure:"enabled"`

	// AutoExpandReplicas is the templates' setting of that name. `0-1` creates one replica as soon as there is a second
	// node.
	AutoExpandReplicas string `mapstructure:"auto_expand_replicas"`

	// NumberOfShards is the templates' setting of that name: primary shards of each day's index.
	NumberOfShards int `mapstructure:"number_of_shards"`

	// Codec is the templates' setting of that name: how documents are compressed on the node's disk.
	Codec string `mapstructure:"codec"`

	// RetentionDays is the age at which an index is deleted, where OpenSearch has the plugin for it. 0 keeps all.
	RetentionDays int `mapstructure:"retention_days"`

	// Dashboards is the client for OpenSearch Dashboards. Without an endpoint there is none.
	Dashboards confighttp.ClientConfig `mapstructure:"dashboards"`

	_ struct{}
}

// RetryConfig is what an operator writes under `retry`. Retries have no end: a request is retried until it is
// accepted.
type RetryConfig struct {
	// InitialInterval is the first pause; each further one is twice as long, and half of each is random.
	InitialInterval time.Duration `mapstructure:"initial_interval"`

	// MaxInterval is the longest pause. A longer Retry-After from the server is respected.
	MaxInterval time.Duration `mapstructure:"max_interval"`

	_ struct{}
}

var (
	autoExpandPattern = regexp.MustCompile(`^(false|\d+-(\d+|all))$`)
	indexNamePattern  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
)

// maxShards is OpenSearch's limit for an index.
const maxShards = 1024

// codecs are OpenSearch's. Those with zstd need its plugin custom-codecs, which the full distribution has.
var codecs = []string{"best_compression", "default", "zstd", "zstd_no_dict"}

var durationRanges = map[string]configcheck.Range{
	// Without an end, a hung server would block a request indefinitely.
	"attempt_timeout":            {Min: 100 * time.Millisecond, Max: time.Hour},
	"retry::initial_interval":    {Min: 10 * time.Millisecond, Max: time.Hour},
	"retry::max_interval":        {Min: 10 * time.Millisecond, Max: time.Hour},
	"http::timeout":              {Min: 100 * time.Millisecond, Max: time.Hour, Zero: "means no limit"},
	"setup::dashboards::timeout": {Min: 100 * time.Millisecond, Max: time.Hour, Zero: "means no limit"},
}

var _ confmap.Unmarshaler = (*Config)(nil)

// Unmarshal leaves its errors to Validate, which returns them with all others.
func (cfg *Config) Unmarshal(conf *confmap.Conf) error {
	cfg.decoding = configcheck.Decode(conf, cfg)
	return nil
}

// Validate reports all faults at once.
func (cfg *Config) Validate() error {
	errs := []error{
		cfg.decoding, configcheck.Durations(cfg, durationRanges), cfg.validateSetup(),
		validateClient("http", &cfg.HTTP), cfg.validateRetry(),
	}
	if cfg.Storage == nil {
		errs = append(errs, errors.New("`storage` is required: name a storage extension, e.g. `storage: file_storage`"))
	}
	if !indexNamePattern.MatchString(cfg.DeadLetterIndex) {
		errs = append(errs, errors.New("`dead_letter_index` must be an index name: "+
			"lower-case letters, digits, `.`, `_` and `-`"))
	}
	if cfg.Format != bulkapi.FormatSS4O && cfg.Format != bulkapi.FormatOTelV1 {
		errs = append(errs, fmt.Errorf("`format` must be %s or %s", bulkapi.FormatSS4O, bulkapi.FormatOTelV1))
	}
	for _, key := range cfg.IndexKeys {
		if key == "" || strings.ContainsAny(key, "{}") {
			errs = append(errs, fmt.Errorf("`index_keys` has %q: write attribute names without braces", key))
		}
	}
	return errors.Join(errs...)
}

func (cfg *Config) validateSetup() error {
	errs := []error{validateClient("setup::dashboards", &cfg.Setup.Dashboards)}
	if cfg.Setup.Enabled && cfg.HTTP.Endpoint == "" {
		errs = append(errs, errors.New("`setup::enabled` needs `http::endpoint`: "+
			"set it to OpenSearch's URL, or `setup::enabled: false`"))
	}
	if !autoExpandPattern.MatchString(cfg.Setup.AutoExpandReplicas) {
		errs = append(errs, errors.New("`setup::auto_expand_replicas` must be a range such as `0-1` or `0-all`, or `false`"))
	}
	if cfg.Setup.NumberOfShards < 1 || cfg.Setup.NumberOfShards > maxShards {
		errs = append(errs, fmt.Errorf("`setup::number_of_shards` must be between 1 and %d", maxShards))
	}
	if !slices.Contains(codecs, cfg.Setup.Codec) {
		errs = append(errs, fmt.Errorf("`setup::codec` must be one of %s", strings.Join(codecs, ", ")))
	}
	if cfg.Setup.RetentionDays < 0 {
		errs = append(errs, errors.New("`setup::retention_days` must not be negative: 0 keeps indices permanently"))
	}
	return errors.Join(errs...)
}

// validateClient checks a client of the extension's own; without an endpoint it is not used.
func validateClient(key string, client *confighttp.ClientConfig) error {
	var errs []error
	if client.Endpoint != "" {
		// The parser's error quotes the URL, which may contain a password.
		parsed, err := url.Parse(client.Endpoint)
		if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
			errs = append(errs, fmt.Errorf("`%s::endpoint` must be a URL such as `http://opensearch:9200`", key))
		} else if parsed.User != nil {
			errs = append(errs, fmt.Errorf("`%s::endpoint` must not contain credentials: "+
				"use `%s::auth` with a basicauth extension", key, key))
		}
	}
	for _, middleware := range client.Middlewares {
		if middleware.ID.Type() == metadata.Type {
			errs = append(errs, fmt.Errorf("`%s::middlewares` must not name %q: "+
				"the extension would block its own requests", key, middleware.ID))
		}
	}
	return errors.Join(errs...)
}

const minSize = 1024

func (cfg *Config) validateRetry() error {
	var errs []error
	for key, value := range map[string]int64{
		"max_document_size":    int64(cfg.MaxDocumentSize),
		"max_dead_letter_size": int64(cfg.MaxDeadLetterSize),
	} {
		if value < minSize {
			errs = append(errs, fmt.Errorf("`%s` must be at least %d bytes", key, minSize))
		}
	}
	if cfg.MaxDeferredSize < 0 {
		errs = append(errs, errors.New("`max_deferred_size` must not be negative: 0 puts nothing aside"))
	}
	if cfg.Retry.MaxInterval < cfg.Retry.InitialInterval {
		errs = append(errs, errors.New("`retry::max_interval` must not be less than `retry::initial_interval`"))
	}
	return errors.Join(errs...)
}

// retention is the age up to which a document is in the index of its own day.
func (cfg *Config) retention() time.Duration {
	const day, most = 24 * time.Hour, 36500 // days, of the 106,751 that a duration can have
	if cfg.Setup.RetentionDays == 0 {
		return 3650 * day
	}
	return time.Duration(min(cfg.Setup.RetentionDays, most)) * day
}
