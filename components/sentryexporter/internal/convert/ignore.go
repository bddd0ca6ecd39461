// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// isNoise recognizes the default error of the Langfuse client, which Dify's own Sentry hook drops.
func isNoise(texts ...string) bool {
	for _, t := range texts {
		if strings.Contains(t, difysemconv.NoiseParseErrorText) || strings.Contains(t, difysemconv.NoiseParseError) {
			return true
		}
	}
	return false
}

// ignores reports whether an exception is discarded, and why.
func (c *Converter) ignores(r recorded, exc *stacktrace.Exception) (why item.Reason, ignored bool) {
	switch {
	case isNoise(r.message, r.logMessage, r.typ, exc.Message):
		return item.ReasonEventFilter, true
	case c.ignored.Has(exc.Type):
		return item.ReasonIgnored, true
	default:
		return "", false
	}
}
