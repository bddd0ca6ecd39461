// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// HTTP attributes of the current and the old conventions. Dify's instrumentations still write the old ones.
const (
	attrMethod    = "http.request.method"
	attrRoute     = "http.route"
	attrStatus    = "http.response.status_code"
	attrPath      = "url.path"
	attrQuery     = "url.query"
	attrFullURL   = "url.full"
	attrURLScheme = "url.scheme"
	attrProtocol  = "network.protocol.version"

	attrOldMethod = "http.method"
	attrOldTarget = "http.target"
	attrOldStatus = "http.status_code"
	attrOldURL    = "http.url"
	attrOldScheme = "http.scheme"
	attrOldFlavor = "http.flavor"

	attrDBSystem = "db.system"
	attrUserID   = "gen_ai.user.id"
)

// modernizeSpan sets the current attribute names on a span. Dify's own IDs are renamed. The current HTTP attributes are
// added and the old ones kept, so that queries for either continue to work.
func modernizeSpan(span ptrace.Span, from origin) {
	attrs := span.Attributes()
	http, old := false, false
	for key := range attrs.All() { // one pass over all keys, since most spans need no change
		switch key {
		case attrOldMethod:
			http = true
		case difysemconv.AttrOldTenantID, difysemconv.AttrOldUserID, difysemconv.AttrDaemonTenantID:
			old = true
		}
	}
	if http && (span.Kind() == ptrace.SpanKindServer || span.Kind() == ptrace.SpanKindClient) {
		modernizeHTTP(attrs)
	}
	if !old {
		return
	}
	rename(attrs, difysemconv.AttrOldTenantID, difysemconv.AttrTenantID)
	rename(attrs, difysemconv.AttrOldUserID, attrUserID)
	if from == originPluginDaemon {
		rename(attrs, difysemconv.AttrDaemonTenantID, difysemconv.AttrTenantID)
	}
}

// isDatabaseScope reports whether a scope is one of the two instrumentations that create most of Dify's spans. They
// write no attribute that is renamed here.
func isDatabaseScope(scope string) bool { return scope == scopeRedis || scope == scopeSQL }

func modernizeHTTP(attrs pcommon.Map) {
	method, ok := attrs.Get(attrOldMethod)
	if !ok {
		return
	}
	if value := str(method); value != "" {
		putAbsent(attrs, attrMethod, value)
	}
	if url := text(attrs, attrOldURL); url != "" {
		putAbsent(attrs, attrFullURL, url)
	}
	if status, ok := attrs.Get(attrOldStatus); ok && !has(attrs, attrStatus) && status.Type() == pcommon.ValueTypeInt {
		attrs.PutInt(attrStatus, status.Int())
	}
	// On spans, http.target is the raw path, not the route.
	if path, _, _ := strings.Cut(text(attrs, attrOldTarget), "?"); path != "" {
		putAbsent(attrs, attrPath, path)
	}
}

// statusCode returns the HTTP status code of a span or a data point, and 0 if it has none.
func statusCode(attrs pcommon.Map) int64 {
	for _, key := range [...]string{attrStatus, attrOldStatus} {
		if v, ok := attrs.Get(key); ok && v.Type() == pcommon.ValueTypeInt {
			return v.Int()
		}
	}
	return 0
}
