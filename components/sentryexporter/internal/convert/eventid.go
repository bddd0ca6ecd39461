// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/grouping"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// exceptionID returns an ID that is the same wherever and however often an exception is recorded in a trace: it is made
// from the trace and from what identifies the failure.
func exceptionID(traceID string, r recorded, f grouping.Fault) item.ID {
	if f.Exception.Type == "" && f.Exception.Message == "" {
		return item.NewID("log", traceID, r.logger, r.logMessage, r.stack)
	}
	return keyID("exception", traceID, f.Key)
}

func keyID(kind, scope string, key []string) item.ID {
	return item.NewID(append([]string{kind, scope}, key...)...)
}
