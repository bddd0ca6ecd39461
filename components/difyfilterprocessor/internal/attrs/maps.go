// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package attrs

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Has reports whether an attribute is set.
func Has(m pcommon.Map, key string) bool {
	_, ok := m.Get(key)
	return ok
}

// Str returns a string value, and "" for a value of another type.
func Str(v pcommon.Value) string {
	if v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}

// Text returns the value of a string attribute, and "" if there is none.
func Text(m pcommon.Map, key string) string {
	if v, ok := m.Get(key); ok {
		return Str(v)
	}
	return ""
}

// PutAbsent sets a string attribute, unless the key is already set.
func PutAbsent(m pcommon.Map, key, value string) {
	if !Has(m, key) {
		m.PutStr(key, value)
	}
}

// Rename moves a string value to another key. If that key is already set, it only removes the old one. A value of
// another type is left alone.
func Rename(m pcommon.Map, from, to string) {
	v, ok := m.Get(from)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return
	}
	value := v.Str()
	m.Remove(from)
	PutAbsent(m, to, value)
}

// Plain returns a text that differs for different values. AsString encodes maps and slices as JSON, which is empty if
// they contain a number that JSON can't represent.
func Plain(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		return fmt.Sprintf("%#v", v.AsRaw())
	default:
		return v.AsString()
	}
}
