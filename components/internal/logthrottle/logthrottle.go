// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package logthrottle decides which of many similar events are worth a log line. It does not log: callers choose
// message, level and fields. They pass the current time, so that tests control it.
package logthrottle

import (
	"sync"
	"time"
)

// Interval lets one event through per interval and counts the others. It is safe for concurrent use.
type Interval struct {
	// Every is the shortest time between two log lines.
	Every time.Duration

	mu     sync.Mutex
	last   time.Time // guarded by mu
	events int       // guarded by mu; since the last line
}

// Next counts an event and reports whether to log now, and the number of events since the last line, this one
// included.
func (i *Interval) Next(now time.Time) (events int, log bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.events++
	if now.Sub(i.last) < i.Every {
		return i.events, false
	}
	events = i.events
	i.last, i.events = now, 0
	return events, true
}

// maxKeys bounds what a Once remembers.
const maxKeys = 1000

// Once lets the first event of each key through. It is safe for concurrent use. It remembers at most 1000 keys; after
// that, further new keys are treated as seen.
type Once struct {
	mu   sync.Mutex
	seen map[string]struct{} // guarded by mu
}

// First reports whether this is the first event of key.
func (o *Once) First(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.seen[key]; ok || len(o.seen) >= maxKeys {
		return false
	}
	if o.seen == nil {
		o.seen = map[string]struct{}{}
	}
	o.seen[key] = struct{}{}
	return true
}

// Failure is a failure that repeats until it ends: it is logged when it begins, from time to time while it lasts,
// when its cause changes, and when it is over. It is not safe for concurrent use.
type Failure struct {
	// RepeatEvery is the time after which the same cause is logged again; 0: never.
	RepeatEvery time.Duration
	// ChangeEvery is the shortest time between two log lines where the cause has changed.
	ChangeEvery time.Duration

	attempts int
	cause    string // in the last line
	last     time.Time
}

// Failed counts a failed attempt. It returns the number of attempts that have failed in a row, and whether to log now.
func (f *Failure) Failed(cause string, now time.Time) (attempts int, log bool) {
	f.attempts++
	if f.attempts > 1 {
		quiet := f.ChangeEvery
		if cause == f.cause {
			if f.RepeatEvery == 0 {
				return f.attempts, false
			}
			quiet = max(f.RepeatEvery, f.ChangeEvery)
		}
		if now.Sub(f.last) < quiet {
			return f.attempts, false
		}
	}
	f.last, f.cause = now, cause
	return f.attempts, true
}

// Ended ends the failure. It returns the number of attempts that failed; 0 if there was no failure, and nothing to
// log.
func (f *Failure) Ended() (attempts int) {
	attempts, f.attempts, f.cause = f.attempts, 0, ""
	return attempts
}

// Ongoing reports whether the last attempt failed.
func (f *Failure) Ongoing() bool { return f.attempts > 0 }
