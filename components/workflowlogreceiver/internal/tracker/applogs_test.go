// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func appLog(id string, age time.Duration) source.AppLog {
	return source.AppLog{Key: source.Key{ID: id, CreatedAt: noon.Add(-age)}}
}

// newAppLogs returns an AppLogs that reports rows after an hour, with the processed IDs around noon in memory.
func newAppLogs() *AppLogs {
	a := NewAppLogs(noon.Add(-48*time.Hour), time.Hour, 24*time.Hour)
	a.Begin(noon)
	for m := MinuteOf(noon.Add(-3 * time.Hour)); m <= MinuteOf(noon); m++ {
		a.Processed.Load(m, nil)
	}
	return a
}

func TestCandidates(t *testing.T) {
	due, young := appLog("due", 2*time.Hour), appLog("young", time.Minute)
	old, beforeStart := appLog("old", 30*time.Hour), appLog("before the start", 50*time.Hour)
	all := []source.AppLog{due, young, old, beforeStart}
	a := newAppLogs()
	assert.Equal(t, []source.AppLog{due, old}, a.Candidates(all, noon), "the first scan reports old rows")
	a.Delivered([]source.AppLog{due, old})
	assert.Equal(t, []source.AppLog{old}, a.Candidates(all, noon), "until it has passed them")
	a.CaughtUp = true
	assert.Empty(t, a.Candidates(all, noon))
}

func TestFirstScanReturnsToYoungRows(t *testing.T) {
	a := newAppLogs()
	young, old := []source.AppLog{appLog("y", time.Minute)}, []source.AppLog{appLog("o", 2*time.Hour)}
	assert.False(t, a.Followed(old, "1", "3", noon))
	assert.False(t, a.Followed(young, "2", "3", noon), "it passes them")
	assert.Equal(t, "2", a.At)
	assert.False(t, a.CaughtUp)
	assert.False(t, a.Followed(young, "", "3", noon))
	assert.True(t, a.CaughtUp)
	assert.Equal(t, "1", a.At, "the first of them")
	assert.False(t, a.FollowDue(noon), "nothing can be due there now")

	later := noon.Add(idleInterval)
	assert.True(t, a.FollowDue(later))
	assert.False(t, a.Followed(young, "2", "3", later))
	assert.Equal(t, "1", a.At, "they may still get their run")
	assert.False(t, a.Followed(young, "2", "3", noon.Add(2*time.Hour)))
	assert.Equal(t, "2", a.At)
}

func TestTableWithoutAnEndIsOnlyScanned(t *testing.T) {
	a := newAppLogs()
	assert.True(t, a.FollowDue(noon))
	assert.True(t, a.Followed(nil, "", "", noon), "it is logged once")
	assert.False(t, a.FollowDue(noon.Add(time.Hour)))

	due, begins := a.ScanDue(noon)
	assert.True(t, due && begins)
	a.BeginScan(noon)
	a.Scanned("x")
	assert.Equal(t, "x", a.ScanAt())
	due, begins = a.ScanDue(noon)
	assert.True(t, due)
	assert.False(t, begins)
	a.Scanned("")
	due, _ = a.ScanDue(noon.Add(59 * time.Minute))
	assert.False(t, due, "the next scan begins an hour after this one began")
	due, begins = a.ScanDue(noon.Add(time.Hour))
	assert.True(t, due && begins)
}

func TestExpired(t *testing.T) {
	a := newAppLogs()
	from, to, floor := a.Expired(noon)
	assert.Equal(t, from, to)
	assert.Equal(t, a.Floor, floor)
	from, to, floor = a.Expired(noon.Add(time.Hour))
	assert.Equal(t, Minute(60), to-from)
	assert.Equal(t, a.Floor.Add(time.Hour), floor)
}
