// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package checkpoint

import "time"

const (
	// arrivalHold is how long the day of arrival stays after a restart, from the first complete poll on: what was
	// delivered before a crash and not saved has been read again by then.
	arrivalHold = time.Hour
	// maxArrivalAge is the age up to which a stored day is used. Older ones may be without an index.
	maxArrivalAge = 7 * 24 * time.Hour
)

// Arrival is the day on which records arrive. A back end with an index for each day uses it for a record whose own
// time is of no use. It is stored before records are delivered with it, and changes only when all that was delivered
// is saved. So a record that is read again after a crash has the same day, and goes to the same index.
type Arrival struct {
	day     time.Time // midnight, UTC; zero: to be determined
	held    bool      // records may have been delivered with this day that are not saved
	until   time.Time // when held ends; zero: not before the first complete poll
	changed bool      // since it was saved
}

// arrivalSnapshot is stored. Its JSON name is a name on disk.
type arrivalSnapshot struct {
	Day string `json:"day,omitempty"`
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// Due reports whether a new day has to be stored before the next delivery, and begins it.
func (a *Arrival) Due(now time.Time) bool {
	today := dayOf(now)
	if a.held && now.Sub(a.day) > maxArrivalAge || today.Before(a.day) { // the clock was set back
		a.held = false
	}
	if a.held || today.Equal(a.day) {
		return false
	}
	a.day, a.changed = today, true
	return true
}

// At returns the time of arrival of what is read now: now, or the end of an earlier day that is held.
func (a *Arrival) At(now time.Time) time.Time {
	if end := a.day.Add(24*time.Hour - time.Second); !a.day.IsZero() && end.Before(now) {
		return end
	}
	return now
}

// Polled records that all that could be read was delivered and saved.
func (a *Arrival) Polled(now time.Time) {
	switch {
	case !a.held:
	case a.until.IsZero():
		a.until = now.Add(arrivalHold)
	case now.After(a.until):
		a.held = false
	}
}

// Release makes the next start begin a new day. The caller has no record that was delivered and is not saved.
func (a *Arrival) Release() { *a = Arrival{changed: true} }

func (a *Arrival) snapshot() arrivalSnapshot {
	if a.day.IsZero() {
		return arrivalSnapshot{}
	}
	return arrivalSnapshot{Day: a.day.Format(time.DateOnly)}
}

func (a *Arrival) restore(stored arrivalSnapshot) {
	day, err := time.Parse(time.DateOnly, stored.Day)
	if err == nil {
		a.day, a.held = day, true
	}
}
