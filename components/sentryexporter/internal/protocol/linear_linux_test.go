// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"testing"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

func TestTextsAreCutInLinearTime(t *testing.T) {
	lineartest.CheckText(t, func(text string) { Text(text, 1<<20) })
	lineartest.CheckText(t, func(text string) { Text(text, 100) })
	lineartest.CheckText(t, func(text string) { Line(text, 1<<20) })
	lineartest.CheckText(t, func(text string) { Name(text, 200) })
	lineartest.CheckText(t, func(text string) { URL("http://x/?" + text) })
}
