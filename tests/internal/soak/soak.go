// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package soak says how long a fault schedule is and which one it is.
package soak

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	fullEnv = "OTELCOL_TEST_SOAK" // asks for the schedules in full
	seedEnv = "OTELCOL_TEST_SEED" // repeats a schedule
)

// Size is short in every test run, and full where the schedules are asked for in full.
func Size(short, full int) int {
	if os.Getenv(fullEnv) != "" {
		return full
	}
	return short
}

// Seed is that of a random schedule: the one in the environment, else a new one. It is printed, so that a failure can come again.
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
