// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/soak"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// However often the collector is killed while Dify runs workflows, each run is one document, and the counters are
// right.
func TestKilledCollectorTellsEachRunOnce(t *testing.T) {
	kills, runs := soak.Size(5, 20), soak.Size(2000, 50_000)
	const writers = 4
	s := newStack(t, stackOptions{})
	w := newWorkspace(t, s)

	var work errgroup.Group
	for range writers {
		work.Go(func() error {
			for range runs / writers {
				if err := w.complete(t.Context()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for kill := range kills {
		s.waitForRuns(t, (kill+1)*runs/(kills+1)/2) // in the first half of the work, so that it is never idle
		s.KillAndRestart(t)
	}
	require.NoError(t, work.Wait())

	s.waitForRuns(t, runs)
	s.expectValue(t, float64(runs), `sum(app_workflow_run_total)`)
	count, err := s.search.Count(t.Context(), "workflow-logs-*")
	require.NoError(t, err)
	assert.Equal(t, runs, count, "documents, once the counters are complete")
	s.documents(t, 0, "otelcol-dify-dead-letter*", servers.All())
}

// complete writes a whole run, as Dify does.
func (w *workspace) complete(ctx context.Context) error {
	run := w.newRun(w.workflow)
	if err := w.StartRun(ctx, run); err != nil {
		return err
	}
	if err := w.AppendLog(ctx, appLog(run)); err != nil {
		return err
	}
	return w.EndRun(ctx, run.ID, schema.Outcome{Status: "succeeded", FinishedAt: time.Now(), Elapsed: time.Millisecond})
}

// waitForRuns waits until at least that many runs are documents.
func (s *stack) waitForRuns(t *testing.T, want int) {
	t.Helper()
	wait.For(t, "runs in OpenSearch", func(ctx context.Context) error {
		got, err := s.search.Count(ctx, "workflow-logs-*")
		if err == nil && got < want {
			err = fmt.Errorf("%d runs are documents, waiting for %d", got, want)
		}
		return err
	})
}
