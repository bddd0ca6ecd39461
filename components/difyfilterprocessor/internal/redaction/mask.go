// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// mask replaces a value under the name of a secret: texts, numbers, and everything in a map or list.
func (c *replacer) mask(key string, v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeMap:
		for _, child := range v.Map().All() {
			c.mask(key, child)
		}
	case pcommon.ValueTypeSlice:
		for _, child := range v.Slice().All() {
			c.mask(key, child)
		}
	case pcommon.ValueTypeStr, pcommon.ValueTypeBytes, pcommon.ValueTypeInt, pcommon.ValueTypeDouble:
		value := v.AsString()
		if v.Type() == pcommon.ValueTypeBytes {
			value = string(v.Bytes().AsRaw())
		}
		secret := value != "" && isSecretValue(strong, value, true, holder{}) && !isCount(key, v)
		if (secret || c.number(v)) && c.changed(tally.ReasonSecret, key) {
			v.SetStr(Mask)
		}
	}
}

// isCount reports whether a value is a number of tokens.
func isCount(key string, v pcommon.Value) bool {
	return v.Type() == pcommon.ValueTypeInt && announcesToken(key)
}

// pair masks the value of a map such as {"name": "api_key", "value": "x"}.
func (c *replacer) pair(m pcommon.Map) {
	const most = 12 // entries of such a map
	if m.Len() < 2 || m.Len() > most || !c.redactor.set.Secrets {
		return
	}
	v, ok := m.Get("value")
	if !ok {
		return
	}
	for _, key := range [...]string{"name", "key", "variable", "header"} {
		if name, ok := m.Get(key); ok && name.Type() == pcommon.ValueTypeStr && announces(name.Str()) == strong {
			c.mask(key, v)
			return
		}
	}
}
