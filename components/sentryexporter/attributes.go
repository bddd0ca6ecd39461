// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// text is the first of the attributes that is there and not empty, as text.
func text(m pcommon.Map, keys ...string) string {
	for _, key := range keys {
		if v, ok := m.Get(key); ok {
			if s := v.AsString(); s != "" {
				return s
			}
		}
	}
	return ""
}

// plain is a value that can always be encoded. A list of texts stays one; other nested values are JSON text, which is also
// how Sentry's AI pages want messages.
func plain(v pcommon.Value) protocol.Value {
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
		if texts, ok := textsIn(v.Slice()); ok {
			return protocol.TextsValue(texts...)
		}
		return protocol.TextValue(v.AsString())
	default:
		return protocol.TextValue(v.AsString())
	}
}

func textsIn(s pcommon.Slice) (texts []string, ok bool) {
	for _, v := range s.All() {
		if v.Type() != pcommon.ValueTypeStr {
			return nil, false
		}
		texts = append(texts, v.Str())
	}
	return texts, s.Len() > 0
}

// plainData are plain values.
func plainData(m pcommon.Map) protocol.Data { return appendPlain(make(protocol.Data, 0, m.Len()), m) }

func appendPlain(out protocol.Data, m pcommon.Map) protocol.Data {
	for key, v := range m.All() {
		if key != "" && v.Type() != pcommon.ValueTypeEmpty {
			out = append(out, protocol.Field{Key: key, Value: plain(v)})
		}
	}
	return out
}

// usualAttributes is more than the size of most attributes, encoded.
const usualAttributes = 2 << 10

// fingerprintOf tells equal attribute maps from others.
func fingerprintOf(m pcommon.Map) identifier {
	data := plainData(m)
	slices.SortFunc(data, func(a, b protocol.Field) int { return strings.Compare(a.Key, b.Key) })
	sum := sha256.Sum256(data.Append(make([]byte, 0, usualAttributes)))
	return identifier(sum[:16])
}

// bareURL is a URL without query, fragment and login, which may be personal or secret.
func bareURL(raw string) string {
	raw, _, _ = strings.Cut(raw, "?")
	raw, _, _ = strings.Cut(raw, "#")
	if u, err := url.Parse(raw); err == nil && u.User != nil {
		u.User = nil
		return u.String()
	}
	return raw
}

func pathOf(raw string) string {
	raw = bareURL(raw)
	if u, err := url.Parse(raw); err == nil {
		return u.Path
	}
	return raw
}
