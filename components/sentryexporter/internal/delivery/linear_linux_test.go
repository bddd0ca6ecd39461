// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

func TestDSNIsReadInLinearTime(t *testing.T) {
	lineartest.CheckText(t, func(text string) { _, _ = ParseDSN(text) })
	lineartest.CheckText(t, func(text string) { _, _ = ParseDSN("https://" + text + "@h/1") })
}
