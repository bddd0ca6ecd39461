// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var now = time.Date(2026, 11, 30, 17, 0, 0, 0, time.FixedZone("", 3600))

func at(t time.Time) pcommon.Timestamp { return pcommon.NewTimestampFromTime(t) }

func TestArrival(t *testing.T) {
	const noted = "2026-11-30T16:00:00Z"
	for name, test := range map[string]struct {
		own      pcommon.Timestamp
		earlier  string
		arrival  any
		original any
		time     pcommon.Timestamp // 0: unchanged
	}{
		"now":              {own: at(now)},
		"30 days ago":      {own: at(now.Add(-30 * 24 * time.Hour))},
		"end of tomorrow":  {own: at(time.Date(2026, 12, 1, 23, 59, 59, 999999999, time.UTC))},
		"older":            {own: at(now.Add(-30*24*time.Hour - 1)), arrival: noted, original: "2026-10-31T15:59:59.999999999Z"},
		"after tomorrow":   {own: at(time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)), arrival: noted, original: "2026-12-02T00:00:00Z"},
		"1970":             {own: 0, arrival: noted, original: "1970-01-01T00:00:00Z"},
		"2^63":             {own: 1 << 63, arrival: noted, original: "2262-04-11T23:47:16.854775808Z", time: at(now)},
		"2^64-1":           {own: math.MaxUint64, arrival: noted, original: "2554-07-21T23:34:33.709551615Z", time: at(now)},
		"noted before":     {own: 1, earlier: "2026-11-28T00:00:00Z", arrival: "2026-11-28T00:00:00Z", original: "1970-01-01T00:00:00.000000001Z"},
		"made up":          {own: 1, earlier: "2020-01-01T00:00:00Z", arrival: noted, original: "1970-01-01T00:00:00.000000001Z"},
		"not a time":       {own: 1, earlier: "yesterday", arrival: noted, original: "1970-01-01T00:00:00.000000001Z"},
		"made up, no need": {own: at(now), earlier: "2020-01-01T00:00:00Z"},
		"offered, no need": {own: at(now), earlier: "2026-11-28T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			td := ptrace.NewSpan()
			record := plog.NewLogRecord()
			td.SetStartTimestamp(test.own)
			td.Events().AppendEmpty().SetTimestamp(test.own)
			record.SetTimestamp(test.own)
			if test.earlier != "" {
				td.Attributes().PutStr("dify.arrival_time", test.earlier)
				record.Attributes().PutStr("dify.arrival_time", test.earlier)
			}
			for range 2 { // the second time changes nothing
				s := NewStamper(now, 30*24*time.Hour)
				s.Span(td)
				s.Record(record)
			}
			want := map[string]any{}
			if test.arrival != nil {
				want["dify.arrival_time"] = test.arrival
			}
			if test.original != nil {
				want["dify.original_time"] = test.original
			}
			assert.Equal(t, want, td.Attributes().AsRaw())
			assert.Equal(t, want, record.Attributes().AsRaw())
			if test.time == 0 {
				test.time = test.own
			}
			assert.Equal(t, test.time, td.StartTimestamp())
			assert.Equal(t, test.time, td.Events().At(0).Timestamp())
			assert.Equal(t, test.time, record.Timestamp())
		})
	}
}

func TestAgeBeyondTheFirstTimestamp(t *testing.T) {
	s := NewStamper(now, 100*365*24*time.Hour)
	assert.True(t, s.plausible(at(now)))
	assert.True(t, s.plausible(1))
	assert.False(t, s.plausible(0), "there is no time")
}

// A gateway noted the arrival of an item from the future, whose time is plausible when a writer gets it days later.
func TestNotedArrivalStays(t *testing.T) {
	record := plog.NewLogRecord()
	record.SetTimestamp(at(now.Add(72 * time.Hour)))
	NewStamper(now, 30*24*time.Hour).Record(record)
	noted := record.Attributes().AsRaw()
	assert.Contains(t, noted, "dify.arrival_time")
	NewStamper(now.Add(72*time.Hour), 30*24*time.Hour).Record(record)
	assert.Equal(t, noted, record.Attributes().AsRaw())
}
