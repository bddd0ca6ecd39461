// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// longText is the length in bytes over which an unknown text counts as content.
const longText = 256

// isStructured reports whether an unknown value counts as content: a long text, JSON, a map or a list.
func isStructured(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return len(v.Str()) > longText || isStructuredText(v.Str())
	case pcommon.ValueTypeBytes:
		return v.Bytes().Len() > longText
	case pcommon.ValueTypeMap:
		return v.Map().Len() > 0
	case pcommon.ValueTypeSlice:
		return v.Slice().Len() > 0
	}
	return false
}

// isStructuredText reports whether a text is like JSON, or like the representation of a Python object.
func isStructuredText(text string) bool {
	if text == "" || text[0] > ' ' && text[0] != '{' && text[0] != '[' {
		return false
	}
	text = strings.TrimSpace(text)
	if len(text) < 2 {
		return false
	}
	switch last := text[len(text)-1]; text[0] {
	case '{':
		return last == '}'
	case '[':
		return last == ']' && strings.IndexByte("{[\"'", text[1]) >= 0
	}
	return false
}
