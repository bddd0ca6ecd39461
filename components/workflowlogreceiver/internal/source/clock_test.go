// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestNewClock(t *testing.T) {
	at := func(clock string) time.Time {
		parsed, err := time.Parse(time.DateTime, "2026-11-01 "+clock)
		assert.NoError(t, err)
		return parsed
	}
	const back = 15 * time.Minute
	for name, test := range map[string]struct{ utc, local, before, want string }{
		"UTC":                          {"06:10:00", "06:10:00", "05:55:00", "06:10:00"},
		"west":                         {"06:10:00", "01:10:00", "00:55:00", "01:10:00"},
		"an hour was repeated":         {"06:10:00", "01:10:00", "01:55:00", "01:10:00"},
		"an hour was left out":         {"07:10:00", "03:10:00", "01:55:00", "02:10:00"},
		"an hour was left out earlier": {"07:16:00", "03:16:00", "03:01:00", "03:16:00"},
		"before is in whole seconds":   {"06:10:01", "06:10:01", "05:55:00", "06:10:01"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := NewClock(at(test.utc), at(test.local), at(test.before), back)
			assert.Equal(t, Clock{UTC: at(test.utc), Local: at(test.want)}, clock)
		})
	}
}

func TestDecideZone(t *testing.T) {
	const hour = 3600.0
	for name, test := range map[string]struct {
		pairs       []ZoneSample
		newest      *ZoneSample
		used, known bool
	}{
		"no rows":                                 {nil, nil, false, false},
		"east, app logs in UTC":                   {[]ZoneSample{{3, 3 - 8*hour}}, nil, false, true},
		"east, app logs in local time":            {[]ZoneSample{{8*hour + 3, 3}}, nil, true, true},
		"west, app logs in local time":            {[]ZoneSample{{-5*hour - 0.4, -0.4}}, nil, true, true},
		"runs of hours, app logs at their end":    {[]ZoneSample{{hour, 6 * hour}, {40, 5*hour + 40}}, nil, false, true},
		"runs of an hour only":                    {[]ZoneSample{{hour, 6 * hour}}, nil, false, false},
		"east, a message in the future of UTC":    {nil, &ZoneSample{7 * hour, -hour}, true, true},
		"west, a message in the future of local":  {nil, &ZoneSample{-hour, 4 * hour}, false, true},
		"west, a fresh message in local time":     {nil, &ZoneSample{-5*hour - 1, -1}, true, true},
		"east, a fresh message in UTC":            {nil, &ZoneSample{-1, -8*hour - 1}, false, true},
		"idle for days":                           {nil, &ZoneSample{-50 * hour, -45 * hour}, false, false},
		"pairs are more certain than the newest":  {[]ZoneSample{{1, 5 * hour}}, &ZoneSample{-5 * hour, 0}, false, true},
		"both in the future: a clock that is odd": {nil, &ZoneSample{900 * hour, 895 * hour}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			zone := Zone{Name: "x"}.Decide(test.pairs, test.newest)
			assert.Equal(t, Zone{Name: "x", Used: test.used, Known: test.known}, zone)
		})
	}
}
