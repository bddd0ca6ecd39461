// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logline

import (
	"testing"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

func TestLinesAreReadInLinearTime(t *testing.T) {
	for name, scan := range map[string]func(string){
		"Parse":          func(text string) { Parse(text, time.UTC) },
		"a known line":   func(text string) { Parse("2026-11-23 08:37:53,893.893 INFO [a] [x.py:6] x - "+text, time.UTC) },
		"IsTraceback":    func(text string) { _ = IsTraceback(text) },
		"SplitTraceback": func(text string) { SplitTraceback("x\nTraceback (most recent call last):\n" + text) },
		"ReadTraceback":  func(text string) { ReadTraceback(text) },
		"StripColors":    func(text string) { StripColors(text) },
		"SplitStatement": func(text string) { SplitStatement(text) },
	} {
		t.Run(name, func(t *testing.T) {
			lineartest.CheckText(
				t, scan, "SLOW SQL >= 200ms\n[1ms] [rows:1] ", "STATEMENT: ", "{\"ts\":", "[GIN] ", "1.2.3.4 - - [",
			)
		})
	}
}
