// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
)

// NewFactory returns the extension's factory.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, createExtension, metadata.ExtensionStability)
}

func createDefaultConfig() component.Config {
	return &Config{
		HTTP: confighttp.NewDefaultClientConfig(),
		Setup: SetupConfig{
			AutoExpandReplicas: "0-1",
			NumberOfShards:     1,
			Codec:              "best_compression",
			RetentionDays:      30,
			Dashboards:         confighttp.NewDefaultClientConfig(),
		},
		Format: bulkapi.FormatSS4O,
		IndexKeys: []string{
			difysemconv.AttrTenantID,
			difysemconv.AttrAppID,
			difysemconv.AttrAppMode,
			difysemconv.AttrRole,
			difysemconv.AttrEnvironment,
			"service.name",
		},
		DeadLetterIndex:   "otelcol-dify-dead-letter",
		MaxDocumentSize:   16 << 20,
		MaxDeadLetterSize: 4 << 20,
		MaxDeferredSize:   256 << 20,
		AttemptTimeout:    time.Minute,
		Retry:             RetryConfig{InitialInterval: 500 * time.Millisecond, MaxInterval: 30 * time.Second},
	}
}

func createExtension(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newExtension(cfg.(*Config), set)
}
