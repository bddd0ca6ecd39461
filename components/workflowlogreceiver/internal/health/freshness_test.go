// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
)

type observed struct {
	metric.Float64Observer
	values []float64
}

func (o *observed) Observe(value float64, _ ...metric.ObserveOption) {
	o.values = append(o.values, value)
}

func TestFreshness(t *testing.T) {
	var f Freshness
	age := func() []float64 {
		var o observed
		require.NoError(t, f.Observe(context.Background(), &o))
		return o.values
	}
	assert.Empty(t, age(), "nothing is known")
	f.Begin()
	f.at.Add(-int64(time.Hour))
	require.Len(t, age(), 1)
	assert.GreaterOrEqual(t, age()[0], 3600.0)
	f.Begin()
	assert.GreaterOrEqual(t, age()[0], 3600.0, "a new connection does not make it fresher")
	f.Now()
	assert.Less(t, age()[0], 3600.0, "a complete poll does")
	f.Suspend()
	assert.Empty(t, age(), "another reader reports it")
}
