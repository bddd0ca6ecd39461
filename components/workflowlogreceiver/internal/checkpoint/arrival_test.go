// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/storagetest"
)

// A crash between a delivery and its save, and a restart on the next day: what is read again has the day of before.
func TestArrivalOverMidnight(t *testing.T) {
	evening := time.Date(2026, 11, 30, 23, 59, 50, 0, time.UTC)
	stored := storagetest.NewMemory(nil)
	load := func() *State {
		loaded, err := newStore(stored).Load(t.Context(), limits)
		require.NoError(t, err)
		return loaded
	}
	store, state := newStore(stored), NewState(limits, clock(evening), clock(evening))
	require.True(t, state.Arrival.Due(evening))
	_, err := store.Save(t.Context(), state)
	require.NoError(t, err)
	assert.Equal(t, evening, state.Arrival.At(evening), "on the day itself it is the time of reading")

	morning := evening.Add(time.Minute)
	for range 2 { // another crash changes nothing
		state = load()
		assert.False(t, state.Arrival.Due(morning))
		assert.Equal(t, time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), state.Arrival.At(morning))
	}
	state.Arrival.Polled(morning)
	assert.False(t, state.Arrival.Due(morning.Add(time.Minute)), "rows may be found again for some time")
	state.Arrival.Polled(morning.Add(61 * time.Minute))
	assert.True(t, state.Arrival.Due(morning.Add(61*time.Minute)))
	assert.Equal(t, morning.Add(2*time.Hour), state.Arrival.At(morning.Add(2*time.Hour)))

	state = load()
	state.Arrival.Release()
	_, err = newStore(stored).Save(t.Context(), state)
	require.NoError(t, err)
	state = load()
	assert.True(t, state.Arrival.Due(morning), "everything was saved before the shutdown")
}

func TestArrivalThatIsOfNoUse(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, day := range map[string]string{
		"old": "2026-11-22", "clock set back": "2026-12-02", "none": "", "not a day": "x",
	} {
		t.Run(name, func(t *testing.T) {
			var a Arrival
			a.restore(arrivalSnapshot{Day: day})
			assert.True(t, a.Due(now))
			assert.Equal(t, now, a.At(now))
		})
	}
}
