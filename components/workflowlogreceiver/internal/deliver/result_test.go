// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestPermanentlyRejected(t *testing.T) {
	permanent := consumererror.NewPermanent(errRefused)
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nil":        {nil, false},
		"temporary":  {errRefused, false},
		"permanent":  {permanent, true},
		"wrapped":    {fmt.Errorf("pipeline: %w", permanent), true},
		"one of two": {errors.Join(permanent, errRefused), false},
		"both":       {errors.Join(permanent, permanent), true},
		"one deeper": {
			fmt.Errorf("x: %w", errors.Join(permanent, fmt.Errorf("y: %w", errors.Join(permanent, errRefused)))), false,
		},
		"around a mixture":    {consumererror.NewPermanent(errors.Join(permanent, errRefused)), true},
		"a part, for a while": {consumererror.NewLogs(errRefused, plog.NewLogs()), false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, PermanentlyRejected(test.err))
		})
	}
}

func TestRemainder(t *testing.T) {
	part := plog.NewLogs()
	part.ResourceLogs().AppendEmpty()
	partial := consumererror.NewLogs(errRefused, part)
	found, ok := remainder(fmt.Errorf("pipeline: %w", partial))
	assert.True(t, ok)
	assert.Equal(t, part, found)
	_, ok = remainder(errors.Join(partial, errRefused))
	assert.False(t, ok, "the other pipeline has received nothing yet")
	_, ok = remainder(errRefused)
	assert.False(t, ok)
}
