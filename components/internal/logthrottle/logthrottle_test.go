// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logthrottle

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestInterval(t *testing.T) {
	i := Interval{Every: time.Minute}
	start := time.Unix(1000, 0)
	for _, step := range []struct {
		after  time.Duration
		events int
		log    bool
	}{
		{0, 1, true},
		{time.Second, 1, false},
		{59 * time.Second, 2, false},
		{60 * time.Second, 3, true},
		{61 * time.Second, 1, false},
		{time.Hour, 2, true},
	} {
		events, log := i.Next(start.Add(step.after))
		assert.Equal(t, step.log, log, step.after)
		assert.Equal(t, step.events, events, step.after)
	}
}

func TestOnce(t *testing.T) {
	var o Once
	assert.True(t, o.First("a"))
	assert.False(t, o.First("a"))
	assert.True(t, o.First("b"))
	for i := range 2 * maxKeys {
		o.First(strconv.Itoa(i))
	}
	assert.Len(t, o.seen, maxKeys)
	assert.False(t, o.First("one too many"))
}

func TestFailure(t *testing.T) {
	f := Failure{RepeatEvery: 5 * time.Minute, ChangeEvery: time.Minute}
	start := time.Unix(1000, 0)
	assert.Zero(t, f.Ended(), "nothing failed")
	for attempt, step := range []struct {
		after time.Duration
		cause string
		log   bool
	}{
		{0, "a", true},
		{time.Second, "a", false},
		{2 * time.Second, "b", false}, // changes, too soon
		{time.Minute, "b", true},
		{5 * time.Minute, "b", false},
		{6 * time.Minute, "b", true},
	} {
		assert.Equal(t, attempt > 0, f.Ongoing())
		attempts, log := f.Failed(step.cause, start.Add(step.after))
		assert.Equal(t, attempt+1, attempts)
		assert.Equal(t, step.log, log, step.after)
	}
	assert.Equal(t, 6, f.Ended())
	assert.False(t, f.Ongoing())
	_, log := f.Failed("b", start.Add(6*time.Minute))
	assert.True(t, log, "another failure")
}

func TestFailureWithoutRepetition(t *testing.T) {
	f := Failure{ChangeEvery: time.Minute}
	start := time.Unix(1000, 0)
	_, log := f.Failed("a", start)
	assert.True(t, log)
	_, log = f.Failed("a", start.Add(time.Hour))
	assert.False(t, log)
	_, log = f.Failed("b", start.Add(time.Hour))
	assert.True(t, log)
}
