// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// A crash after a delivery and before its save, just before midnight: the rows are read again on the next day. Their
// records have the same day of arrival, so that each goes to the index that has it already.
func TestCrashAtMidnightKeepsTheDayOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2000, 3, 1, 23, 59, 58, 0, time.UTC)))
		w := newWorld(t, 0, tracker.DefaultLimits)
		w.db.now = time.Now()
		add := func(id string, created, finished time.Time) {
			w.db.runs = append(w.db.runs, source.Run{
				Key: source.Key{ID: id, CreatedAt: created}, Status: difysemconv.StatusFailed, FinishedAt: finished,
			})
		}
		old, begun := time.Now().AddDate(0, 0, -40), time.Now().Add(-time.Minute)
		add("old", old, old)
		add("future", begun, begun.AddDate(3, 0, 0))
		add("today", begun, begun)
		ctx, cancel := context.WithCancel(t.Context())
		w.sink.setRefuse(func() error { // accepted, and never saved
			cancel()
			w.storage.SetFull(true)
			return nil
		})
		require.Error(t, w.poller.poll(ctx, w.db, w.db.clock()))
		w.sink.setRefuse(nil)
		w.storage.SetFull(false)
		time.Sleep(time.Hour)
		w.boot()
		w.db.now = time.Now()
		w.poll()

		days := map[string][]string{}
		for _, record := range w.sink.records {
			attrs := record.Attributes()
			id, offered := pdatatest.Str(attrs, difysemconv.AttrWorkflowRunID), pdatatest.Str(attrs, difysemconv.AttrArrivalTime)
			if offered == "" {
				offered = record.Timestamp().AsTime().Format(time.RFC3339)
			}
			days[id] = append(days[id], offered[:len(time.DateOnly)])
		}
		const day = "2000-03-01"
		assert.Equal(t, map[string][]string{"old": {day, day}, "future": {day, day}, "today": {day, day}}, days)

		for range 3 { // no crash: after some time, what is new arrives on its own day
			w.poll()
			time.Sleep(time.Hour)
		}
		w.db.now = time.Now()
		add("new", time.Now(), time.Now().AddDate(3, 0, 0))
		w.poll()
		record := w.sink.record(t, runEvent, "new")
		assert.Equal(t, time.Now().UTC().Format(time.RFC3339),
			pdatatest.Str(record.Attributes(), difysemconv.AttrArrivalTime))
	})
}
