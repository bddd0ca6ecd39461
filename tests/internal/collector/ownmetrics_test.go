// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSumSeries(t *testing.T) {
	const exposition = `# TYPE dropped_total counter
dropped_total{kind="span",rule="a b} c"} 3
dropped_total{kind="span",rule="x"} 4
dropped_total{kind="log_record",rule="x"} 1e+06
dropped_total_other{kind="span"} 9
`
	sum, err := sumSeries(strings.NewReader(exposition), "dropped_total", []string{`kind="span"`})
	require.NoError(t, err)
	assert.InDelta(t, 7, sum, 0)
	sum, err = sumSeries(strings.NewReader(exposition), "dropped_total", nil)
	require.NoError(t, err)
	assert.InDelta(t, 1000007, sum, 0)
	_, err = sumSeries(strings.NewReader(exposition), "dropped_total", []string{`kind="data_point"`})
	require.ErrorContains(t, err, "is not there")
}
