// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/pipelinecheck"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// exporterConfig is what matters here of an exporter that uses the middleware.
type exporterConfig struct {
	HTTP struct {
		Timeout     time.Duration          `mapstructure:"timeout"`
		Compression configcompression.Type `mapstructure:"compression"`
		Middlewares []struct {
			ID component.ID `mapstructure:"id"`
		} `mapstructure:"middlewares"`
	} `mapstructure:"http"`
	Timeout               time.Duration `mapstructure:"timeout"`
	LogsIndex             string        `mapstructure:"logs_index"`
	LogsIndexTimeFormat   string        `mapstructure:"logs_index_time_format"`
	TracesIndex           string        `mapstructure:"traces_index"`
	TracesIndexTimeFormat string        `mapstructure:"traces_index_time_format"`
	// Queue is absent from the effective configuration if the queue is off.
	Queue *struct {
		Storage *component.ID `mapstructure:"storage"`
	} `mapstructure:"sending_queue"`
}

// NotifyConfigSnapshot checks the exporters that use the middleware, before any starts, and rejects a configuration
// that would lose documents. It warns of pipelines that leak or lose: no other component sees them all.
func (e *bulkExtension) NotifyConfigSnapshot(_ context.Context, snapshot extensioncapabilities.ConfigSnapshot) error {
	warnings, err := pipelinecheck.Warnings(snapshot.Effective())
	if err != nil { // never a reason not to start
		e.logger.Warn("The pipelines could not be checked", zap.Error(err))
	}
	for _, warning := range warnings {
		e.logger.Warn("The configuration gives up a guarantee: " + warning)
	}
	exporters, err := snapshot.Effective().Sub("exporters")
	if err != nil {
		return err
	}
	var errs []error
	for id, raw := range exporters.ToStringMap() {
		section, ok := raw.(map[string]any)
		if !ok {
			continue
		}
		var exporter exporterConfig
		if confmap.NewFromStringMap(section).Unmarshal(&exporter, confmap.WithIgnoreUnused()) != nil ||
			!e.serves(&exporter) {
			continue // an exporter of another kind
		}
		for _, fault := range e.check(&exporter) {
			errs = append(errs, fmt.Errorf("exporter %q uses %q: %s", id, e.id, fault))
		}
		if exporter.Queue == nil || exporter.Queue.Storage == nil {
			e.logger.Warn("An exporter has no persistent queue: blocked documents are lost if the collector is killed. "+
				"Set `sending_queue::storage`", zap.String("exporter", id))
		}
	}
	return errors.Join(errs...)
}

func (e *bulkExtension) serves(exporter *exporterConfig) bool {
	for _, middleware := range exporter.HTTP.Middlewares {
		if middleware.ID == e.id {
			return true
		}
	}
	return false
}

func (e *bulkExtension) check(exporter *exporterConfig) []string {
	var faults []string
	if exporter.HTTP.Timeout != 0 {
		faults = append(faults, "set `http::timeout: 0`, or it cuts off a blocked request; "+
			"`attempt_timeout` of the extension bounds each attempt")
	}
	if exporter.Timeout != 0 {
		faults = append(faults, "set `timeout: 0`, or it cuts off a blocked request")
	}
	if !bulkapi.SupportedCompression(exporter.HTTP.Compression) {
		faults = append(faults, fmt.Sprintf("`http::compression: %s` is not supported: use `gzip`, `zstd` or `none`",
			exporter.HTTP.Compression))
	}
	faults = append(faults, e.checkIndex("logs_index", exporter.LogsIndex, exporter.LogsIndexTimeFormat)...)
	faults = append(faults, e.checkIndex("traces_index", exporter.TracesIndex, exporter.TracesIndexTimeFormat)...)
	if e.cfg.Format == bulkapi.FormatOTelV1 && exporter.TracesIndex != "" &&
		!strings.HasPrefix(e.cfg.Format.TraceIndexName(exporter.TracesIndex), bulkapi.TraceIndex) {
		faults = append(faults, fmt.Sprintf("with `format: %s` of the extension `traces_index` must begin with %s, "+
			"where OpenSearch's trace views look, or with dify-traces, which becomes that", e.cfg.Format, bulkapi.TraceIndex))
	}
	return faults
}

func (e *bulkExtension) checkIndex(key, index, timeFormat string) []string {
	var faults []string
	if timeFormat != "" {
		faults = append(faults, fmt.Sprintf("remove `%s_time_format`: the extension adds each document's own day", key))
	}
	if strings.Contains(index, "%{") {
		return append(faults, fmt.Sprintf("%#q has `%%{…}`, which gives a whole batch the last document's value: "+
			"write `{…}` without the percent sign", key))
	}
	for _, name := range bulkapi.Placeholders(index) {
		if !slices.Contains(e.cfg.IndexKeys, name) {
			faults = append(faults, fmt.Sprintf("%#q has `{%s}`, which is not in the extension's `index_keys`", key, name))
		}
	}
	return faults
}
