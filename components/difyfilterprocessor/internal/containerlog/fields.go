// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package containerlog

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/logline"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// severities has the level names of all formats.
var severities = map[string]plog.SeverityNumber{
	"DEBUG": plog.SeverityNumberDebug, "INFO": plog.SeverityNumberInfo, "NOTICE": plog.SeverityNumberInfo2,
	"WARN": plog.SeverityNumberWarn, "WARNING": plog.SeverityNumberWarn,
	"ERROR": plog.SeverityNumberError, "CRIT": plog.SeverityNumberError2, "ALERT": plog.SeverityNumberError3,
	"CRITICAL": plog.SeverityNumberFatal, "FATAL": plog.SeverityNumberFatal, "PANIC": plog.SeverityNumberFatal,
	"EMERG": plog.SeverityNumberFatal,
}

// writeSeverity writes WARN for Dify's WARNING too, so that one name finds the lines of all formats.
func writeSeverity(record plog.LogRecord, level string) {
	record.SetSeverityNumber(severities[level])
	if level == "WARNING" {
		level = "WARN"
	}
	record.SetSeverityText(level)
}

func writeTrace(record plog.LogRecord, line *logline.Line) {
	var trace pcommon.TraceID
	if n, err := hex.Decode(trace[:], []byte(line.TraceID)); err != nil || n == 0 {
		return
	}
	record.SetTraceID(trace)
	var span pcommon.SpanID
	if n, err := hex.Decode(span[:], []byte(line.SpanID)); err == nil && n > 0 {
		record.SetSpanID(span)
	}
	if line.Unverified {
		record.Attributes().PutBool(difysemconv.AttrTraceUnverified, true)
	}
}

func writeWhere(attributes pcommon.Map, line *logline.Line) {
	if line.Thread != "" {
		attributes.PutStr(attrs.ThreadName, line.Thread)
	}
	if line.File != "" {
		attributes.PutStr(attrs.CodeFilePath, line.File)
		attributes.PutInt(attrs.CodeLineNumber, int64(line.FileLine))
	}
}

func writeRequest(attributes pcommon.Map, r logline.Request) {
	if r.Method != "" {
		attributes.PutStr(attrs.HTTPMethod, r.Method)
	}
	if path, query, _ := strings.Cut(r.Target, "?"); r.Sent {
		attributes.PutStr(attrs.URLFull, r.Target)
	} else if path != "" {
		attributes.PutStr(attrs.URLPath, path)
		if query != "" {
			attributes.PutStr(attrs.URLQuery, query)
		}
	}
	if r.Client != "" {
		attributes.PutStr(attrs.ClientAddress, r.Client)
	}
	if r.Status != 0 {
		attributes.PutInt(attrs.HTTPStatusCode, int64(r.Status))
	}
	if r.Status >= 500 || (r.Sent && r.Status >= 400) {
		attrs.PutAbsent(attributes, attrs.ErrorType, strconv.Itoa(r.Status))
	}
}

// consumed are the attributes of a request in lines of the plugin daemon. writeRequest writes them under their current
// names.
var consumed = map[string]bool{"method": true, "path": true, "status": true, "client_ip": true}

func writeIdentity(attributes pcommon.Map, line *logline.Line) {
	for _, a := range [...]struct{ key, value string }{
		{difysemconv.AttrTenantID, line.TenantID}, {attrs.UserID, line.UserID}, {difysemconv.AttrUserType, line.UserType},
	} {
		if a.value != "" {
			attributes.PutStr(a.key, a.value)
		}
	}
	for key, value := range line.Attributes {
		if (line.Request.Status == 0 || !consumed[key]) && !attrs.Has(attributes, key) {
			putJSON(attributes.PutEmpty(key), value)
		}
	}
}

func putJSON(to pcommon.Value, value any) {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			to.SetInt(n)
		} else if f, err := v.Float64(); err == nil {
			to.SetDouble(f)
		} else {
			to.SetStr(v.String())
		}
	case map[string]any:
		m := to.SetEmptyMap()
		for key, child := range v {
			putJSON(m.PutEmpty(key), child)
		}
	case []any:
		s := to.SetEmptySlice()
		for _, child := range v {
			putJSON(s.AppendEmpty(), child)
		}
	default:
		_ = to.FromRaw(v) // string, bool or nil: the other types of JSON
	}
}

// databaseOf returns the database by the quotes of a statement's names. It decides what redaction takes for a value.
func databaseOf(statement string) string {
	if strings.IndexByte(statement, '`') >= 0 {
		return "mysql"
	}
	return "postgresql"
}
