// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

var settings = Settings{LookBack: time.Minute, MaxRunAge: time.Hour}

// newTail returns a Tail that starts at a time, with the processed IDs of all minutes around noon in memory.
func newTail(start time.Time) *Tail {
	t := NewTail(settings, start, noon)
	for m := MinuteOf(noon.Add(-2 * time.Hour)); m <= MinuteOf(noon.Add(2*time.Hour)); m++ {
		t.Processed.Load(m, nil)
	}
	return t
}

func run(id, status string, age time.Duration) outcome.Outcome {
	r := source.Run{Key: source.Key{ID: id, CreatedAt: noon.Add(-age)}, Status: status}
	if status != difysemconv.StatusRunning {
		r.FinishedAt = r.CreatedAt.Add(time.Second)
	}
	return outcome.Outcome{Run: r}
}

func ids(outcomes []*outcome.Outcome) []string {
	var found []string
	for _, o := range outcomes {
		found = append(found, o.ID)
	}
	return found
}

func TestSortPage(t *testing.T) {
	tail := newTail(noon.Add(-10 * time.Minute))
	page := []outcome.Outcome{
		run("before the start", difysemconv.StatusFailed, 20*time.Minute),
		run("stuck", difysemconv.StatusRunning, 61*time.Minute),
		run("open", difysemconv.StatusRunning, time.Minute),
		run("ended", difysemconv.StatusSucceeded, time.Second),
		run("of the future", difysemconv.StatusSucceeded, -time.Minute),
	}
	b := tail.SortPage(page, noon)
	assert.Equal(t, []string{"ended", "of the future"}, ids(b.Ended))
	assert.Equal(t, []string{"stuck"}, ids(b.Stuck))
	assert.Equal(t, []string{"stuck", "open"}, ids(b.Opened))
	assert.Equal(t, 1, b.BeforeStart)
	assert.Equal(t, page[3].Position(), *b.Position, "a clock that is ahead does not move the position")
	assert.Equal(t, b, tail.SortPage(page, noon), "nothing changes before Apply")

	tail.Apply(b)
	assert.Equal(t, page[3].Position(), tail.Position)
	assert.Equal(t, 2, tail.Open.Len())
	again := tail.SortLate(page, noon)
	assert.Empty(t, again.Ended)
	assert.Empty(t, again.Opened)
	assert.Empty(t, tail.Unprocessed([]source.Key{page[0].Key, page[3].Key}))
	assert.Equal(t, []string{"new"}, tail.Unprocessed([]source.Key{{ID: "new", CreatedAt: noon}}))
}

func TestOpenRunEnds(t *testing.T) {
	tail := newTail(time.Time{})
	tail.Apply(tail.SortPage([]outcome.Outcome{run("r", difysemconv.StatusRunning, time.Minute)}, noon))
	assert.Equal(t, []string{"r"}, tail.Open.Due(noon))
	assert.True(t, tail.Open.Changed(false))
	tail.Open.Saved()

	b := tail.SortVisited([]string{"r"}, []outcome.Outcome{run("r", difysemconv.StatusStopped, time.Minute)}, noon)
	assert.Equal(t, []string{"r"}, ids(b.Ended))
	assert.Equal(t, 1, tail.Open.Len())
	tail.Apply(b)
	assert.Zero(t, tail.Open.Len())
	assert.True(t, tail.Open.Changed(false))
	assert.False(t, tail.Open.Changed(true))
}

func TestMissingRowIsDeletedAfterLookBack(t *testing.T) {
	tail := newTail(time.Time{})
	tail.Apply(tail.SortPage([]outcome.Outcome{run("r", difysemconv.StatusRunning, time.Minute)}, noon))
	for _, test := range []struct {
		after   time.Duration
		deleted []string
	}{{0, nil}, {time.Minute, nil}, {61 * time.Second, []string{"r"}}} {
		assert.Equal(t, test.deleted, tail.SortVisited([]string{"r"}, nil, noon.Add(test.after)).Deleted, test.after)
	}
}

func TestOpenRunsRoundTrip(t *testing.T) {
	tail := newTail(time.Time{})
	tail.Apply(tail.SortPage([]outcome.Outcome{
		run("stuck", difysemconv.StatusRunning, 2*time.Hour), run("open", difysemconv.StatusRunning, time.Minute),
	}, noon))
	restored := NewOpenRuns()
	for _, stuck := range []bool{false, true} {
		assert.Len(t, tail.Open.Snapshot(stuck), 1)
		restored.Restore(stuck, tail.Open.Snapshot(stuck))
		assert.Equal(t, tail.Open.Snapshot(stuck), restored.Snapshot(stuck))
		assert.False(t, restored.Changed(stuck))
	}
}

func TestSweepRaisesTheFloor(t *testing.T) {
	tail := newTail(time.Time{})
	tail.Position = source.Position{CreatedAt: noon}
	tail.Rescan.Limits.Sweep = 2
	now := noon.Add(10 * time.Minute)
	span, active := tail.Rescan.Sweep(tail, now)
	assert.True(t, active)
	assert.Equal(t, tail.Floor, span.After.CreatedAt)
	keys := []source.Key{{ID: "a", CreatedAt: noon.Add(-2 * time.Minute)}, {ID: "b", CreatedAt: noon.Add(-time.Minute)}}
	_, raised := tail.Rescan.Swept(tail, span, keys)
	assert.False(t, raised, "a full part is not the end")

	span, _ = tail.Rescan.Sweep(tail, now)
	assert.Equal(t, keys[1].Position(), span.After)
	floor, raised := tail.Rescan.Swept(tail, span, nil)
	assert.True(t, raised)
	assert.Equal(t, now.Add(-settings.MaxRunAge), floor)
	_, active = tail.Rescan.Sweep(tail, now.Add(time.Second))
	assert.False(t, active, "the next pass begins after LookBack")
}

func TestNewestIsBounded(t *testing.T) {
	for name, test := range map[string]struct {
		perMinute, limit int
		want             time.Duration
	}{
		"a quiet table":        {1, 100, time.Minute},
		"a full minute":        {60, 30, 31 * time.Second}, // a share of it
		"more than one second": {60, 1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			tail := NewTail(settings, time.Time{}, noon)
			tail.Position = source.Position{CreatedAt: noon.Add(59 * time.Second)}
			tail.Rescan.Limits.Newest = test.limit
			for m := range tail.Rescan.NewestMinutes(tail, tail.Position.CreatedAt) {
				tail.Processed.Load(m, make([]ID, test.perMinute))
			}
			newest := tail.Rescan.Newest(tail, tail.Position.CreatedAt)
			assert.Equal(t, tail.Position, newest.UpTo)
			assert.InDelta(t, test.want, tail.Position.CreatedAt.Sub(newest.After.CreatedAt), float64(2*time.Second))
		})
	}
}
