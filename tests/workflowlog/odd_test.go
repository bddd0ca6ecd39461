// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlog

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// odd are the runs that do not end in time. Each kind has its own event; half of each kind end after all.
type odd struct {
	stuck   []run // running for longer than max_run_age
	unknown []run // with only an app log
}

func insertOdd(t *testing.T, db *dify, rng *rand.Rand) odd {
	t.Helper()
	o := odd{stuck: newRuns(rng, 10), unknown: newRuns(rng, 10)}
	for i := range o.stuck {
		o.stuck[i].nodes, o.stuck[i].tokens = 0, 0
		require.NoError(t, db.insert(t.Context(), db, "workflow_runs", o.stuck[i].running(time.Now().Add(-2*maxRunAge))))
	}
	for i := range o.unknown {
		o.unknown[i].nodes, o.unknown[i].tokens = 0, 0
		require.NoError(t, db.insert(t.Context(), db, "workflow_app_logs", o.unknown[i].appLog()))
	}
	return o
}

// settle waits until all are recorded, and then lets half of them end.
func (o odd) settle(t *testing.T, db *dify, s *sink) {
	t.Helper()
	for event, runs := range map[string][]run{eventStuck: o.stuck, eventUnknown: o.unknown} {
		err := wait.Until(t.Context(), longest, func(context.Context) error { return missing(idsOf(runs), s.runs(event)) })
		require.NoError(t, err, event)
	}
	for _, r := range o.stuck[:len(o.stuck)/2] {
		_, err := db.ExecContext(
			t.Context(), db.bind("UPDATE workflow_runs SET status = ?, finished_at = ?, elapsed_time = ? WHERE id = ?"),
			r.status, value(time.Now()), r.elapsed, r.id,
		)
		require.NoError(t, err)
	}
	for _, r := range o.unknown[:len(o.unknown)/2] {
		require.NoError(t, db.insert(t.Context(), db, "workflow_runs", r.ended(time.Now())))
	}
}

// check checks that no other run was recorded as odd, not even while everything failed.
func (o odd) check(t *testing.T, s *sink) {
	t.Helper()
	assert.Equal(t, idsOf(o.stuck), s.runs(eventStuck))
	assert.Equal(t, idsOf(o.unknown), s.runs(eventUnknown))
}

func idsOf(runs []run) map[string]bool {
	ids := map[string]bool{}
	for _, r := range runs {
		ids[r.id] = true
	}
	return ids
}
