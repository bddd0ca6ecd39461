// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// takeOver is how long a waiting collector may take after the reading one was killed.
const takeOver = 10 * time.Second

// A second collector on the same database waits and logs it, and starts reading soon after the first one was killed.
func TestSecondCollectorWaits(t *testing.T) {
	for name, newDatabase := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t)
			insertApps(t, db)
			ofFirst, ofSecond := newSink(t), newSink(t)
			first := startCollector(t, db, map[string]string{"TEST_SINK": ofFirst.URL})
			wait.For(t, "the first reads", reading(first, 1))
			second := startCollector(t, db, map[string]string{"TEST_SINK": ofSecond.URL})
			wait.For(t, "the second says that it waits", logs(second, "Another workflow_log receiver reads this database"))
			wait.For(t, "the second does not read", reading(second, 0))

			deliverRun(t, db, ofFirst)
			assert.Zero(t, ofSecond.received(), "records of the one that waits")

			first.Kill(t)
			killed := time.Now()
			wait.For(t, "the second reads", reading(second, 1))
			assert.Less(t, time.Since(killed), takeOver)
			require.NoError(t, logs(second, "this one continues from its own checkpoint")(t.Context()))
			deliverRun(t, db, ofSecond)
		})
	}
}

func reading(c *collector.Collector, want float64) func(context.Context) error {
	return func(ctx context.Context) error {
		got, err := c.OwnMetric(ctx, "otelcol_workflow_log_reading")
		if err == nil && got != want {
			err = fmt.Errorf("otelcol_workflow_log_reading is %v", got)
		}
		return err
	}
}

func logs(c *collector.Collector, message string) func(context.Context) error {
	return func(context.Context) error {
		if !strings.Contains(c.Log(), message) {
			return errors.New("the log does not say: " + message)
		}
		return nil
	}
}

// deliverRun waits until a run that ends now has reached the sink.
func deliverRun(t *testing.T, db *dify, s *sink) {
	t.Helper()
	r := newRun(rand.New(rand.NewPCG(0, uint64(time.Now().UnixNano()))))
	r.app = apps[1]
	require.NoError(t, db.insert(t.Context(), db, "workflow_runs", r.ended(time.Now())))
	wait.For(t, "the run is recorded", func(context.Context) error { return missing(idsOf([]run{r}), s.runs(eventRun)) })
}
