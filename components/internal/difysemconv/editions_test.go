// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difysemconv

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSplitEnvironment(t *testing.T) {
	for name, want := range map[string][2]string{
		"PRODUCTION-SELF_HOSTED": {"PRODUCTION", "COMMUNITY"},
		"PRODUCTION-COMMUNITY":   {"PRODUCTION", "COMMUNITY"},
		"STAGING-ENTERPRISE":     {"STAGING", "ENTERPRISE"},
		"DE-CLOUD-COMMUNITY":     {"DE-CLOUD", "COMMUNITY"},
		"production":             {"production", ""},
		"-CLOUD":                 {"-CLOUD", ""},
		"":                       {"", ""},
	} {
		environment, edition := SplitEnvironment(name)
		assert.Equal(t, want, [2]string{environment, edition}, name)
	}
}
