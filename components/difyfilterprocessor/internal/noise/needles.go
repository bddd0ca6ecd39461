// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package noise

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// needles searches for any of several texts at once, since most spans contain none.
type needles struct {
	texts    []string
	shortest int
}

func (l *needles) add(texts []string) {
	l.texts = append(l.texts, texts...)
	l.shortest = len(slices.MinFunc(l.texts, func(a, b string) int { return cmp.Compare(len(a), len(b)) }))
}

func (l *needles) in(text string) bool {
	return len(text) >= l.shortest &&
		slices.ContainsFunc(l.texts, func(literal string) bool { return strings.Contains(text, literal) })
}

func (l *needles) inAttributes(attributes pcommon.Map) bool {
	if len(l.texts) == 0 {
		return false
	}
	for key, v := range attributes.All() {
		if v.Type() == pcommon.ValueTypeStr && len(v.Str()) >= l.shortest && describesError(key) && l.in(v.Str()) {
			return true
		}
	}
	return false
}
