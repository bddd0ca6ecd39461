// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package backoff

import (
	"context"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestNext(t *testing.T) {
	b := Backoff{Initial: time.Second, Max: 5 * time.Second}
	for range 2 {
		for _, seconds := range []time.Duration{1, 2, 4, 5, 5} {
			interval := seconds * time.Second
			pause := b.Next()
			assert.GreaterOrEqual(t, pause, interval/2)
			assert.LessOrEqual(t, pause, interval)
		}
		b.Reset()
	}
}

func TestNextIsNeverLongerThanMax(t *testing.T) {
	b := Backoff{Initial: time.Hour, Max: time.Second}
	for range 10 {
		assert.LessOrEqual(t, b.Next(), time.Second)
	}
}

func TestNextAfter(t *testing.T) {
	b := Backoff{Initial: time.Second, Max: time.Minute}
	assert.Equal(t, time.Hour, b.NextAfter(time.Hour))
	for range 10 {
		assert.Equal(t, time.Second, b.NextAfter(time.Millisecond), "not faster than the first interval")
	}
	assert.GreaterOrEqual(t, b.NextAfter(0), 30*time.Second)
}

func TestWait(t *testing.T) {
	b := Backoff{Initial: time.Millisecond, Max: time.Hour}
	assert.True(t, b.Wait(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.False(t, Sleep(ctx, 0))
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	assert.False(t, Sleep(ctx, time.Hour))
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":            0,
		"soon":        0,
		"-1":          0,
		"0":           0,
		"NaN":         0,
		"120":         2 * time.Minute,
		"\t1.5":       1500 * time.Millisecond,
		"1e300":       math.MaxInt64,
		"9223372036":  9223372036 * time.Second,
		"99999999999": math.MaxInt64,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
		now.Format(http.TimeFormat):                   0,
	} {
		got, ok := RetryAfter(value, now)
		assert.Equal(t, want, got, value)
		assert.Equal(t, want > 0 || value == "0", ok, value)
	}
}
