// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tally

import "strings"

// Limit is a rule by which something was cut, repaired or dropped because a client must not send it.
type Limit int

// Limits: the values of the attribute `limit` of the processor's own metrics, in the order of limitNames.
const (
	LimitStringLength Limit = iota
	LimitItemSize
	LimitDepth
	LimitAttributes
	LimitEvents
	LimitLinks
	LimitUTF8
	LimitBuckets
	LimitHistogram
	LimitExponentialHistogram
	LimitLabelName
	LimitMetricName
	LimitTemporality
	LimitConflict
	LimitSeries
	LimitProcesses
	limits
)

var limitNames = [limits]string{
	"string_length", "item_size", "depth", "attributes", "events", "links", "utf8", "buckets", "histogram",
	"exponential_histogram", "label_name", "metric_name", "temporality", "metric_conflict", "series", "processes",
}

// String returns the name of the limit, as the metrics and the attribute dify.limited have it.
func (l Limit) String() string { return limitNames[l] }

// LimitNames returns the names of all limits, which are reserved like those of the built-in rules.
func LimitNames() []string { return limitNames[:] }

// LimitSet is a set of limits.
type LimitSet uint32

// Add adds a limit.
func (s *LimitSet) Add(l Limit) { *s |= 1 << l }

// String returns the names of the limits, separated by commas.
func (s LimitSet) String() string {
	var names []string
	for l := range limits {
		if s&(1<<l) != 0 {
			names = append(names, l.String())
		}
	}
	return strings.Join(names, ",")
}

// ParseLimits is the opposite of LimitSet.String. It ignores what is not the name of a limit.
func ParseLimits(text string) LimitSet {
	var s LimitSet
	for name := range strings.SplitSeq(text, ",") {
		for l := range limits {
			if l.String() == name {
				s.Add(l)
			}
		}
	}
	return s
}

// Limit counts n values or parts that a limit cut, repaired or dropped.
func (t *Tally) Limit(l Limit, n int) { t.limited[l] += int64(n) }

// LimitPoints counts n data points that a limit dropped.
func (t *Tally) LimitPoints(l Limit, n int) {
	t.Limit(l, n)
	t.Drop(l.String(), KindDataPoint, n)
}

// Limited returns how much each limit cut, repaired or dropped.
func (t *Tally) Limited() map[Limit]int64 {
	var counts map[Limit]int64
	for l, n := range t.limited {
		if n > 0 {
			if counts == nil {
				counts = map[Limit]int64{}
			}
			counts[Limit(l)] = n
		}
	}
	return counts
}
