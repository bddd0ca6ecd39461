// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseExposition(t *testing.T) {
	const text = `# HELP a_total Things, "quoted"
# TYPE a_total counter
a_total{status="failed",name="with \"quotes\", {braces} and \\ and\nlines"} 3
a_total{status="succeeded",} 4.5e+01 1795426486000
b 7
c{} NaN
# TYPE d_seconds histogram
d_seconds_bucket{route="/a",le="1"} 2
d_seconds_bucket{route="/a",le="+Inf"} 5
d_seconds_sum{route="/a"} 12
d_seconds_count{route="/a"} 5
`
	samples, err := parseExposition(strings.NewReader(text))
	require.NoError(t, err)
	require.Len(t, samples, 5)
	assert.Contains(t, samples, sample{
		name: "a_total", value: 3,
		labels: map[string]string{"status": "failed", "name": "with \"quotes\", {braces} and \\ and\nlines"},
	})
	assert.InDelta(t, 48, sumOf(samples, "a_total", nil), 0)
	assert.InDelta(t, 45, sumOf(samples, "a_total", map[string]string{"status": "succeeded"}), 0)
	assert.InDelta(t, 7, sumOf(samples, "b", nil), 0)
	assert.InDelta(t, 5, sumOf(samples, "d_seconds_count", map[string]string{"route": "/a"}), 0)
	assert.Zero(t, sumOf(samples, "absent", nil))
}

func TestParseExpositionErrors(t *testing.T) {
	for _, line := range []string{"a", "a{", `a{b="c} 1`, `a{b="c"}`, "a x", `a{b} 1`} {
		_, err := parseExposition(strings.NewReader(line + "\n"))
		assert.Error(t, err, line)
	}
}
