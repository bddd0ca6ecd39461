// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestAuditCountsRowsThatAppear(t *testing.T) {
	const interval = time.Hour
	key := func(age time.Duration) source.Key { return source.Key{CreatedAt: noon.Add(-age)} }
	a := &Audit{}
	count := func(now time.Time, keys ...source.Key) int {
		span, active := a.Next(now, now.Add(-2*time.Hour), interval)
		assert.True(t, active)
		return a.Counted(span, keys)
	}
	assert.Zero(t, count(noon, key(10*time.Hour), key(5*time.Hour)), "the first count has nothing to compare with")
	_, changed := a.Snapshot()
	assert.True(t, changed)
	a.Saved()
	_, active := a.Next(noon.Add(interval-1), noon, interval)
	assert.False(t, active, "once per interval")

	stored, changed := a.Snapshot()
	assert.False(t, changed)
	a = &Audit{}
	a.Restore(stored)
	assert.Equal(t, 2, count(noon.Add(interval), key(10*time.Hour), key(10*time.Hour), key(9*time.Hour)),
		"one more in an hour, one in another; a deleted row does not make up for them")
	assert.Zero(t, count(noon.Add(2*interval), key(10*time.Hour), key(10*time.Hour), key(9*time.Hour), key(time.Hour)),
		"rows that are not old enough do not count")
}
