// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package containerlog turns log lines into log records: lines of containers, as Docker's fluentd logging driver,
// Fluent Bit in Kubernetes or the filelog receiver send them, and lines of files.
package containerlog

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// Settings of a Joiner.
type Settings struct {
	// TimeZone is the time zone of times without one.
	TimeZone *time.Location
	// ServiceName is the service.name of text lines from Dify's API, worker and beat.
	ServiceName string
	// ServiceNamespace is the service.namespace of Dify's containers. Empty: not set.
	ServiceNamespace string
	// JoinWait is how long an entry waits for lines that may still belong to it.
	JoinWait time.Duration
}

// Joiner turns container log lines into records: one record for the first line of an entry and the lines that continue
// it. Docker sends each line separately, so that an entry may span several batches. An entry that may continue is kept
// for a short time. A Joiner is safe for concurrent use.
type Joiner struct {
	set Settings

	mu      sync.Mutex // guards streams and all in them
	streams map[streamKey]*stream
}

// streamKey identifies an output of a container, or a file. The lines of one output arrive in order.
type streamKey struct{ instance, stream string }

// stream has what has begun on an output and may continue.
type stream struct {
	parts *entry // a long line that Docker splits into parts
	entry *entry // an entry that further lines may continue
}

// MaxOutputs bounds the number of outputs with a pending entry.
const MaxOutputs = 256

// NewJoiner returns a joiner without pending entries.
func NewJoiner(set Settings) *Joiner { return &Joiner{set: set, streams: map[streamKey]*stream{}} }

// Pending returns the number of outputs with a pending entry.
func (j *Joiner) Pending() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.streams)
}

// Process replaces the lines in ld with the records that are complete. It counts the lines that were added to the
// record of another one in t.
func (j *Joiner) Process(ld plog.Logs, now time.Time, t *tally.Tally) {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := newOutput(&j.set, now)
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			sl.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
				raw, ok := rawLineOf(rl.Resource().Attributes(), record)
				if ok {
					j.line(raw, now, out, t)
				}
				return ok
			})
		}
	}
	out.logs.ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
}

func (j *Joiner) line(raw rawLine, now time.Time, out *output, t *tally.Tally) {
	key := streamKey{raw.instance, raw.stream}
	s, ok := j.streams[key]
	if !ok {
		if len(j.streams) >= MaxOutputs {
			j.release(now, true, out, t)
		}
		s = &stream{}
		j.streams[key] = s
	}
	if s.entry != nil && now.Sub(s.entry.touched) > j.set.JoinWait {
		s.close(out)
	}
	if raw, ok = s.assemble(raw, now, t); ok {
		j.add(s, raw, now, out, t)
	}
	if s.parts == nil && s.entry == nil {
		delete(j.streams, key)
	}
}

// Flush returns the entries that were not continued within JoinWait, or all entries.
func (j *Joiner) Flush(now time.Time, all bool, t *tally.Tally) plog.Logs {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := newOutput(&j.set, now)
	j.release(now, all, out, t)
	return out.logs
}

func (j *Joiner) release(now time.Time, all bool, out *output, t *tally.Tally) {
	due := func(e *entry) bool { return e != nil && (all || now.Sub(e.touched) >= j.set.JoinWait) }
	keys := make([]streamKey, 0, len(j.streams))
	for key := range j.streams {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b streamKey) int {
		return cmp.Or(cmp.Compare(a.instance, b.instance), cmp.Compare(a.stream, b.stream))
	})
	for _, key := range keys {
		s := j.streams[key]
		if due(s.parts) { // the rest of the line did not arrive
			j.add(s, s.whole(), now, out, t)
		}
		if due(s.entry) {
			s.close(out)
		}
		if s.parts == nil && s.entry == nil {
			delete(j.streams, key)
		}
	}
}
