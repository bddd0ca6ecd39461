// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	m := NewMemory(100)
	first, second := m.NewReservation(), m.NewReservation()
	assert.True(t, first.Grow(60))
	assert.False(t, second.Grow(41))
	assert.Zero(t, second.Bytes())
	assert.True(t, second.Grow(40))
	assert.EqualValues(t, 100, m.Used())
	assert.True(t, first.Grow(50), "it has more already")
	assert.False(t, first.Grow(61))
	first.Release()
	first.Release()
	assert.EqualValues(t, 40, m.Used())
	assert.False(t, first.GrowWithinHalf(11))
	assert.True(t, first.GrowWithinHalf(10))
	first.Release()
	second.Release()
	assert.Zero(t, m.Used())
}

func TestMemoryIsNeverExceeded(t *testing.T) {
	m := NewMemory(1000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				r := m.NewReservation()
				if r.Grow(rand.Int64N(400)) {
					assert.LessOrEqual(t, m.Used(), int64(1000))
					r.Release()
				}
			}
		})
	}
	wg.Wait()
	assert.Zero(t, m.Used())
}

func never(t *testing.T) func() {
	return func() { t.Error("evicted") }
}

func TestSlotsNewestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(1, 3, time.Hour, 2*time.Hour)
		first, err := s.Acquire(t.Context(), never(t))
		require.NoError(t, err)
		var order []int
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				slot, acquireErr := s.Acquire(t.Context(), never(t))
				if assert.NoError(t, acquireErr) {
					order = append(order, i)
					slot.Release()
				}
			})
			synctest.Wait()
		}
		_, err = s.Acquire(t.Context(), never(t))
		require.ErrorIs(t, err, ErrBusy, "as many wait as may")
		first.Release()
		wg.Wait()
		assert.Equal(t, []int{2, 1, 0}, order)
		first.Release() // does nothing
		assert.Zero(t, s.InUse())
	})
}

func TestSlotsEvictTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(2, 10, 8*time.Second, time.Hour)
		var old *Slot
		old, err := s.Acquire(t.Context(), func() {
			go func() {
				time.Sleep(4 * time.Second) // it takes a while to end
				old.Release()
			}()
		})
		require.NoError(t, err)
		time.Sleep(3 * time.Second)
		evicted := 0
		young, err := s.Acquire(t.Context(), func() { evicted++ })
		require.NoError(t, err)
		start := time.Now()
		slot, err := s.Acquire(t.Context(), never(t))
		require.NoError(t, err)
		// The rest of the share, and what the end took. In that time the share of the younger one was over as well.
		assert.Equal(t, 9*time.Second, time.Since(start))
		assert.Equal(t, 1, evicted)
		slot.Release()
		young.Release()
		assert.Zero(t, s.InUse())
	})
}

func TestSlotsWithoutContention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(1, 10, time.Second, time.Minute)
		slot, err := s.Acquire(t.Context(), never(t))
		require.NoError(t, err)
		time.Sleep(time.Hour)
		slot.Release()
	})
}

// TestSlotsPassStalledClients lets many clients stall: one that does not is never behind them.
func TestSlotsPassStalledClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(4, 512, time.Second, 5*time.Second)
		stalled, stop := context.WithCancel(t.Context())
		defer stop()
		var wg sync.WaitGroup
		for range 300 {
			wg.Go(func() {
				ctx, evict := context.WithCancel(stalled)
				defer evict()
				if slot, err := s.Acquire(ctx, evict); err == nil {
					<-ctx.Done()
					slot.Release()
				}
			})
		}
		time.Sleep(time.Millisecond)
		start := time.Now()
		slot, err := s.Acquire(t.Context(), never(t))
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(start), 1200*time.Millisecond)
		slot.Release()
		stop()
		wg.Wait()
	})
}

func TestSlotsGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(1, 10, time.Hour, time.Minute)
		slot, err := s.Acquire(t.Context(), never(t))
		require.NoError(t, err)
		start := time.Now()
		_, err = s.Acquire(t.Context(), never(t))
		require.ErrorIs(t, err, ErrBusy)
		assert.Equal(t, time.Minute, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.Acquire(ctx, never(t))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		slot.Release()
		assert.Zero(t, s.InUse())
	})
}

// TestSlotsAreNeverExceeded lets goroutines come, wait, give up and be evicted at random.
func TestSlotsAreNeverExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3
		s := NewSlots(n, 20, 5*time.Millisecond, 20*time.Millisecond)
		var held atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for range 100 {
					ctx, evict := context.WithCancel(t.Context())
					slot, err := s.Acquire(ctx, evict)
					if err == nil {
						assert.LessOrEqual(t, held.Add(1), int64(n))
						select {
						case <-ctx.Done():
						case <-time.After(time.Duration(rand.Int64N(int64(30 * time.Millisecond)))):
						}
						held.Add(-1)
						slot.Release()
					}
					evict()
				}
			})
		}
		wg.Wait()
		assert.Zero(t, s.InUse())
	})
}
