// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"testing"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

func TestMessagesAreMadeStableInLinearTime(t *testing.T) {
	parts := []string{"0x1", "1.2.", "a1b2", "00000000-0000-4000-8000-0000000000aa", "[openai] Error: ", "Run failed: "}
	lineartest.CheckText(t, func(text string) { Stable(text) }, parts...)
	lineartest.CheckText(t, func(text string) { describe(text) }, parts...)
}
