// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package spanrepair

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// UpdateAttributes sets the current attribute names on a span. Dify's own IDs are renamed. The current HTTP attributes
// are added and the old ones kept, so that queries for either continue to work.
func UpdateAttributes(span ptrace.Span, from emitter.Origin) {
	attributes := span.Attributes()
	http, old := false, false
	for key := range attributes.All() { // one pass over all keys, since most spans need no change
		switch key {
		case attrs.OldHTTPMethod:
			http = true
		case difysemconv.AttrOldTenantID, difysemconv.AttrOldUserID, difysemconv.AttrDaemonTenantID:
			old = true
		}
	}
	if http && (span.Kind() == ptrace.SpanKindServer || span.Kind() == ptrace.SpanKindClient) {
		addHTTPAttributes(attributes)
	}
	if old {
		identity.RenameIDs(attributes, from)
	}
}

func addHTTPAttributes(attributes pcommon.Map) {
	method, ok := attributes.Get(attrs.OldHTTPMethod)
	if !ok {
		return
	}
	if value := attrs.Str(method); value != "" {
		attrs.PutAbsent(attributes, attrs.HTTPMethod, value)
	}
	if url := attrs.Text(attributes, attrs.OldHTTPURL); url != "" {
		attrs.PutAbsent(attributes, attrs.URLFull, url)
	}
	if status, ok := attributes.Get(attrs.OldHTTPStatusCode); ok && !attrs.Has(attributes, attrs.HTTPStatusCode) {
		if code, ok := attrs.ReadStatusCode(status); ok {
			attributes.PutInt(attrs.HTTPStatusCode, code)
		}
	}
	// On spans, http.target is the raw path, not the route.
	if path, _, _ := strings.Cut(attrs.Text(attributes, attrs.OldHTTPTarget), "?"); path != "" {
		attrs.PutAbsent(attributes, attrs.URLPath, path)
	}
}
