// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package soak determines the length and the seed of a fault schedule.
package soak

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	fullEnv = "OTELCOL_TEST_SOAK" // runs schedules in full
	seedEnv = "OTELCOL_TEST_SEED" // repeats a schedule
)

// Size returns short in normal test runs, and full if schedules run in full.
func Size(short, full int) int {
	if os.Getenv(fullEnv) != "" {
		return full
	}
	return short
}

// Seed returns the seed of a random schedule: the one in the environment, or a new one. It is logged, so that a
// failure can be reproduced.
func Seed(tb testing.TB) uint64 {
	tb.Helper()
	seed := rand.Uint64()
	if given := os.Getenv(seedEnv); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(tb, err, seedEnv)
	}
	tb.Logf("%s=%d repeats this schedule", seedEnv, seed)
	return seed
}
