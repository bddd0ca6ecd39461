// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package known

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// SameFailure is how far apart the times are that an exception, its log line and its run record for one failure.
const SameFailure = 10 * time.Second

// maxReported bounds the unmatched failures of one text.
const maxReported = 1000

// reportedFailures are the times of reported failures with one text, which no log line or run has matched yet.
type reportedFailures struct{ lines, runs []time.Time }

// Reported remembers the text of failures that were reported.
func (k *Known) Reported(now time.Time, items ...*item.Item) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, it := range items {
		if it.Relations.Text == (item.ID{}) {
			continue
		}
		r, ok := k.texts.Get(it.Relations.Text, now)
		if !ok {
			r = &reportedFailures{}
			k.texts.Set(it.Relations.Text, r, now)
		}
		if !it.Relations.Line && len(r.lines) < maxReported {
			r.lines = append(r.lines, it.Time)
		}
		if len(it.Supersedes) == 0 && len(r.runs) < maxReported {
			r.runs = append(r.runs, it.Time)
		}
	}
}

// MatchesLine reports whether the failure of a log line without a trace, or of a call without a parent, was reported.
// Each is matched by one.
func (k *Known) MatchesLine(it *item.Item, now time.Time) bool {
	return k.matches(it, now, func(r *reportedFailures) *[]time.Time { return &r.lines })
}

// MatchesRun reports whether the failure of a run was reported by an exception without a run ID. Each is matched by one
// run.
func (k *Known) MatchesRun(it *item.Item, now time.Time) bool {
	return k.matches(it, now, func(r *reportedFailures) *[]time.Time { return &r.runs })
}

func (k *Known) matches(it *item.Item, now time.Time, of func(*reportedFailures) *[]time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, ok := k.texts.Get(it.Relations.Text, now)
	if !ok || it.Relations.Text == (item.ID{}) {
		return false
	}
	times := of(r)
	for i, at := range *times {
		if at.Sub(it.Time).Abs() <= SameFailure {
			*times = append((*times)[:i], (*times)[i+1:]...)
			return true
		}
	}
	return false
}
