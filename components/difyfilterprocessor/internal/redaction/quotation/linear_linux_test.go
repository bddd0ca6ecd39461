// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package quotation

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

func TestQuotationsAreFoundInLinearTime(t *testing.T) {
	m := NewMemory()
	m.Add(pcommon.TraceID{}, "a b c d e f g h i j\nkey key key key key key key key\n[SQL: [SQL: [SQL: [SQL: [SQL: ")
	phrases := m.Of(pcommon.TraceID{})
	lineartest.CheckText(t, func(text string) { Find(text, phrases, "\n") }, "a b c d e f g h i ", "key key key ")
	lineartest.CheckText(t, func(text string) { NewMemory().Add(pcommon.TraceID{}, text) })
}
