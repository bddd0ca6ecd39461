// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// number converts a number that JSON can't represent to text. The stock OpenSearch exporter drops the whole span or
// record because of such a number, which is converted in audit mode too.
func (c *replacer) number(v pcommon.Value) bool {
	word := ""
	switch d := v.Double(); {
	case v.Type() != pcommon.ValueTypeDouble:
		return false
	case math.IsNaN(d):
		word = "NaN"
	case math.IsInf(d, 1):
		word = "Infinity"
	case math.IsInf(d, -1):
		word = "-Infinity"
	default:
		return false
	}
	c.count(tally.ReasonNumber, "")
	v.SetStr(word)
	return true
}
