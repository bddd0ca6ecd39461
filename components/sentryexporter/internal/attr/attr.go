// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package attr reads OpenTelemetry attributes: as text, as values that can always be encoded, and as a fingerprint.
package attr

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// Text returns the first of the attributes that exists and is not empty, as text.
func Text(m pcommon.Map, keys ...string) string {
	for _, key := range keys {
		if v, ok := m.Get(key); ok {
			if s := v.AsString(); s != "" {
				return s
			}
		}
	}
	return ""
}

// value returns a value that can always be encoded. A list of strings remains a list; other nested values become JSON
// text, which is also the form in which Sentry's AI pages expect messages.
func value(v pcommon.Value) protocol.Value {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return protocol.TextValue(v.Str())
	case pcommon.ValueTypeBool:
		return protocol.BoolValue(v.Bool())
	case pcommon.ValueTypeInt:
		return protocol.IntValue(v.Int())
	case pcommon.ValueTypeDouble:
		return protocol.FloatValue(v.Double())
	case pcommon.ValueTypeBytes:
		if b := v.Bytes().AsRaw(); utf8.Valid(b) {
			return protocol.TextValue(string(b))
		}
		return protocol.TextValue(v.AsString())
	case pcommon.ValueTypeSlice:
		if texts, ok := Texts(v.Slice()); ok {
			return protocol.TextsValue(texts...)
		}
		return protocol.TextValue(v.AsString())
	default:
		return protocol.TextValue(v.AsString())
	}
}

// Texts returns the elements of a list; false if it is empty or has elements that are not strings.
func Texts(s pcommon.Slice) (texts []string, ok bool) {
	for _, v := range s.All() {
		if v.Type() != pcommon.ValueTypeStr {
			return nil, false
		}
		texts = append(texts, v.Str())
	}
	return texts, s.Len() > 0
}

// Data returns the attributes as data that can always be encoded.
func Data(m pcommon.Map) protocol.Data { return AppendData(make(protocol.Data, 0, m.Len()), m) }

// AppendData appends the attributes to out.
func AppendData(out protocol.Data, m pcommon.Map) protocol.Data {
	for key, v := range m.All() {
		if key != "" && v.Type() != pcommon.ValueTypeEmpty {
			out = append(out, protocol.Field{Key: key, Value: value(v)})
		}
	}
	return out
}

// usualSize is more than the encoded size of most attribute maps.
const usualSize = 2 << 10

// Fingerprint returns an ID that is the same for equal attribute maps, whatever their order.
func Fingerprint(m pcommon.Map) item.ID {
	data := Data(m)
	slices.SortFunc(data, func(a, b protocol.Field) int { return strings.Compare(a.Key, b.Key) })
	sum := sha256.Sum256(data.Append(make([]byte, 0, usualSize)))
	return item.ID(sum[:16])
}

// StripURL returns a URL without query, fragment and credentials, which may be personal or secret.
func StripURL(raw string) string {
	raw, _, _ = strings.Cut(raw, "?")
	raw, _, _ = strings.Cut(raw, "#")
	if u, err := url.Parse(raw); err == nil && u.User != nil {
		u.User = nil
		return u.String()
	}
	return raw
}

// URLPath returns the path of a URL.
func URLPath(raw string) string {
	raw = StripURL(raw)
	if u, err := url.Parse(raw); err == nil {
		return u.Path
	}
	return raw
}
