// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difystatusextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-dify/otelcol-dify/components/difystatusextension/internal/metadata"
)

// NewFactory returns the extension's factory.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, createExtension, metadata.ExtensionStability)
}

func createExtension(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newStatus(cfg.(*Config), set), nil
}
