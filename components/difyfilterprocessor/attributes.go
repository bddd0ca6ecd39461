// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// HTTP attributes of both generations: Dify's instrumentations still write the old one.
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

// modernizeSpan gives a span today's attribute names. Dify's own ids move. The HTTP names of today are added and the old
// ones stay, so that queries over spans of both kinds go on working.
func modernizeSpan(span ptrace.Span, from origin) {
	attrs := span.Attributes()
	http, old := false, false
	for key := range attrs.All() { // one look at all keys: most spans need nothing
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

// isDatabaseScope is for the two instrumentations that make most of Dify's spans, and write nothing that has an older name.
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
	// A span's http.target is the raw path, which is no route.
	if path, _, _ := strings.Cut(text(attrs, attrOldTarget), "?"); path != "" {
		putAbsent(attrs, attrPath, path)
	}
}

// statusCode is 0 where a span has none.
func statusCode(attrs pcommon.Map) int64 {
	for _, key := range [...]string{attrStatus, attrOldStatus} {
		if v, ok := attrs.Get(key); ok && v.Type() == pcommon.ValueTypeInt {
			return v.Int()
		}
	}
	return 0
}
