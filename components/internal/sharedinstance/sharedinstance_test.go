// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sharedinstance

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type config struct{ name string }

func TestMap(t *testing.T) {
	var m Map[*config, *int]
	created := 0
	create := func() (*int, error) { created++; n := created; return &n, nil }
	a, b := &config{"same"}, &config{"same"}

	first, err := m.Acquire(a, create)
	require.NoError(t, err)
	second, err := m.Acquire(a, create)
	require.NoError(t, err)
	other, err := m.Acquire(b, create)
	require.NoError(t, err)
	assert.Same(t, first, second)
	assert.NotSame(t, first, other, "the pointer is the key, not what it points to")

	assert.False(t, m.Release(a))
	assert.True(t, m.Release(a))
	assert.False(t, m.Release(a), "unknown by now")
	again, err := m.Acquire(a, create)
	require.NoError(t, err)
	assert.NotSame(t, first, again)

	m.Forget(b)
	assert.False(t, m.Release(b))
	anew, err := m.Acquire(b, create)
	require.NoError(t, err)
	assert.NotSame(t, other, anew)
}

func TestFailedCreationIsNotStored(t *testing.T) {
	var m Map[string, int]
	failure := errors.New("failed")
	_, err := m.Acquire("a", func() (int, error) { return 1, failure })
	require.ErrorIs(t, err, failure)
	v, err := m.Acquire("a", func() (int, error) { return 2, nil })
	require.NoError(t, err)
	assert.Equal(t, 2, v)
	assert.True(t, m.Release("a"))
}
