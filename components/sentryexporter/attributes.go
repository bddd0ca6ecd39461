// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
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

// plain is a value that can always be encoded. Nested values are JSON text, which is also how Sentry's AI pages want
// messages.
func plain(v pcommon.Value) any {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return protocol.Text(v.Str(), protocol.MaxString)
	case pcommon.ValueTypeBool:
		return v.Bool()
	case pcommon.ValueTypeInt:
		return v.Int()
	case pcommon.ValueTypeDouble:
		if d := v.Double(); !math.IsNaN(d) && !math.IsInf(d, 0) {
			return d
		}
		return v.AsString()
	case pcommon.ValueTypeBytes:
		b := v.Bytes().AsRaw()
		if utf8.Valid(b) {
			return protocol.Text(string(b), protocol.MaxString)
		}
		return protocol.Text(base64.StdEncoding.EncodeToString(b), protocol.MaxString)
	default:
		return protocol.Text(v.AsString(), protocol.MaxString)
	}
}

// plainMap is a map of plain values.
func plainMap(m pcommon.Map) map[string]any {
	out := make(map[string]any, m.Len())
	for key, v := range m.All() {
		if key != "" && v.Type() != pcommon.ValueTypeEmpty {
			out[key] = plain(v)
		}
	}
	return out
}

// fingerprintOf tells equal attribute maps from others.
func fingerprintOf(m pcommon.Map) identifier {
	b, err := json.Marshal(plainMap(m)) // sorts the keys
	if err != nil {
		return identifier{}
	}
	return identify("attributes", string(b))
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
