// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package attrs

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	// originalPrefix begins the new name of a reserved attribute.
	originalPrefix = "original."
	// dataStream is an attribute that the stock OpenSearch exporter sets itself, over one of the same name.
	dataStream = "data_stream"
	// namespace begins the names by which tenants, apps and runs are distinguished.
	namespace = "dify"
)

// MoveReserved renames attributes that would take the place of others in the back ends: data_stream, which the stock
// OpenSearch exporter overwrites, and dify with a map as its value, whose members have the same path in a document as
// attributes such as dify.tenant_id.
func MoveReserved(m pcommon.Map) {
	var keys []string
	for key, value := range m.All() {
		if len(key) < len(namespace) || key[0] != 'd' {
			continue
		}
		if key == dataStream || strings.HasPrefix(key, dataStream+".") ||
			key == namespace && value.Type() == pcommon.ValueTypeMap {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		value, _ := m.Get(key)
		moved := pcommon.NewValueEmpty()
		value.CopyTo(moved)
		m.Remove(key)
		if !Has(m, originalPrefix+key) {
			moved.MoveTo(m.PutEmpty(originalPrefix + key))
		}
	}
}
