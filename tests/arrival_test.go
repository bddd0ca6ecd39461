// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// A run whose own time is of no use goes to the index of the day on which its record arrived. If the collector is
// killed between the delivery and the save of its checkpoint, and continues on the next day, that is the day of the
// first delivery, which the checkpoint has: there is one document.
func TestRunReadAgainTheNextDay(t *testing.T) {
	storage := t.TempDir()
	s := newStack(t, stackOptions{
		env:      map[string]string{"OTELCOL_STORAGE_DIR": storage},
		overlays: []string{"yaml:receivers::workflow_log::start_at: beginning"},
	})
	w := newWorkspace(t, s)
	s.Kill(t)
	yesterday := time.Now().UTC().AddDate(0, 0, -1)
	files, err := filepath.Glob(filepath.Join(storage, "checkpoint", "receiver_workflow_log_*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	setArrival(t, files[0], yesterday)
	before, err := os.ReadFile(files[0])
	require.NoError(t, err)

	run := w.start(t, w.workflow)
	future := time.Now().AddDate(3, 0, 0)
	require.NoError(t, w.EndRun(t.Context(), run, schema.Outcome{Status: "failed", FinishedAt: future}))
	documents := 1
	for range 2 {
		s.Restart(t)
		today := w.start(t, w.workflow)
		w.end(t, today, schema.Outcome{Status: "succeeded"})
		documents++
		for _, hit := range s.documents(t, documents, "workflow-logs-*", servers.All()) {
			index := time.Now().UTC()
			if attribute(hit, "dify.workflow_run_id") == run {
				index = yesterday
				assert.Contains(t, fmt.Sprint(hit.Source["@timestamp"]), yesterday.Format(time.DateOnly))
				assert.NotEmpty(t, attribute(hit, "dify.original_time"))
			} else {
				assert.Empty(t, attribute(hit, "dify.arrival_time"), "its own day is plausible")
			}
			assert.Equal(t, "workflow-logs-"+index.Format("2006.01.02"), hit.Index)
		}
		s.Kill(t)
		require.NoError(t, os.WriteFile(files[0], before, 0o600)) // as if nothing had been saved since the delivery
	}
	s.Restart(t)
	s.documents(t, 0, "otelcol-dify-dead-letter*", servers.All())
}

// setArrival sets the day of arrival in the checkpoint of a collector that is not running.
func setArrival(t *testing.T, file string, day time.Time) {
	t.Helper()
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: 10 * time.Second})
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		value := fmt.Appendf(nil, `{"day":%q}`, day.Format(time.DateOnly))
		return tx.Bucket([]byte("default")).Put([]byte("arrival"), value)
	}))
}
