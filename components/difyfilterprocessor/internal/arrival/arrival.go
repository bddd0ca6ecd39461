// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package arrival notes when an item was accepted, if its own time is too old or in the future. A back end that has an
// index for each day then uses the day of arrival, and the same one however often the item is delivered.
package arrival

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Stamper notes the arrival of the items of one batch.
type Stamper struct {
	now         time.Time
	first, last pcommon.Timestamp // the range of plausible times
}

// lastTimestamp is what both pdata and the back ends can convert: later ones become negative.
const lastTimestamp = pcommon.Timestamp(math.MaxInt64)

// NewStamper returns the stamper of a batch that arrived at now. Plausible is from age ago until the end of tomorrow,
// UTC.
func NewStamper(now time.Time, age time.Duration) *Stamper {
	now = now.UTC()
	first := now.Add(-age)
	if earliest := time.Unix(0, 1); first.Before(earliest) { // a timestamp can't be before 1970, and 0 is none
		first = earliest
	}
	last := time.Date(now.Year(), now.Month(), now.Day()+2, 0, 0, 0, 0, time.UTC)
	return &Stamper{
		now:   now,
		first: pcommon.NewTimestampFromTime(first),
		last:  pcommon.NewTimestampFromTime(last) - 1,
	}
}

func (s *Stamper) plausible(t pcommon.Timestamp) bool { return t >= s.first && t <= s.last }

// Span notes the arrival of a span. A time that back ends can't represent becomes that of the arrival.
func (s *Stamper) Span(span ptrace.Span) {
	s.note(span.Attributes(), span.StartTimestamp())
	s.bound(span.StartTimestamp(), span.SetStartTimestamp)
	s.bound(span.EndTimestamp(), span.SetEndTimestamp)
	for _, event := range span.Events().All() {
		s.bound(event.Timestamp(), event.SetTimestamp)
	}
}

// Record notes the arrival of a log record that has a timestamp.
func (s *Stamper) Record(record plog.LogRecord) {
	s.note(record.Attributes(), record.Timestamp())
	s.bound(record.Timestamp(), record.SetTimestamp)
	s.bound(record.ObservedTimestamp(), record.SetObservedTimestamp)
}

func (s *Stamper) bound(t pcommon.Timestamp, set func(pcommon.Timestamp)) {
	if t > lastTimestamp {
		set(pcommon.NewTimestampFromTime(s.now))
	}
}

// note keeps an earlier plausible arrival: that of a gateway, or one that a receiver repeats when it reads again. What
// a receiver offers without need is removed, since back ends prefer an arrival to the item's own time.
func (s *Stamper) note(attributes pcommon.Map, own pcommon.Timestamp) {
	if s.plausible(own) {
		if _, noted := attributes.Get(difysemconv.AttrOriginalTime); !noted {
			attributes.Remove(difysemconv.AttrArrivalTime)
		}
		return
	}
	earlier, err := time.Parse(time.RFC3339Nano, attrs.Text(attributes, difysemconv.AttrArrivalTime))
	if err != nil || !s.plausible(pcommon.NewTimestampFromTime(earlier)) {
		attributes.PutStr(difysemconv.AttrArrivalTime, s.now.Format(time.RFC3339))
	}
	attrs.PutAbsent(attributes, difysemconv.AttrOriginalTime, text(own))
}

// text converts times after 2262 too, unlike pcommon.Timestamp.AsTime.
func text(t pcommon.Timestamp) string {
	seconds, nanos := uint64(t)/uint64(time.Second), uint64(t)%uint64(time.Second)
	return time.Unix(int64(seconds), int64(nanos)).UTC().Format(time.RFC3339Nano) //nolint:gosec // both fit after division
}
