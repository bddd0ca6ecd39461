// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQueues(t *testing.T) {
	q, err := startQueues()
	require.NoError(t, err)
	defer func() { assert.NoError(t, q.close(t.Context())) }()
	require.NoError(t, q.pop("dataset"), "an empty queue")
	for range 3 {
		require.NoError(t, q.push("dataset"))
	}
	require.NoError(t, q.push("mail"))
	require.NoError(t, q.pop("dataset"))
	assert.Equal(t, 3, q.waiting())

	o, err := redis.ParseURL(q.url())
	require.NoError(t, err)
	client := redis.NewClient(o)
	defer client.Close()
	n, err := client.LLen(t.Context(), "dataset").Result()
	require.NoError(t, err)
	assert.Equal(t, int64(2), n, "in the broker's database, as a list")
}
