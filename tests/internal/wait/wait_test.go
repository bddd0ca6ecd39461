// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package wait

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUntilTellsTheLastErrorThatSaysSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		err := Until(t.Context(), time.Second, func(ctx context.Context) error {
			calls++
			if calls < 5 {
				return errors.New("2 of 3 documents")
			}
			<-ctx.Done()
			return ctx.Err()
		})
		require.EqualError(t, err, "not within 1s: 2 of 3 documents")
	})
}

func TestUntilReturnsWithTheEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		calls := 0
		require.NoError(t, Until(t.Context(), time.Minute, func(context.Context) error {
			calls++
			if calls < 3 {
				return errors.New("not yet")
			}
			return nil
		}))
		require.Equal(t, 2*interval, time.Since(start))
	})
}
