// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package containerlog

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/logline"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// assemble joins the parts of a long line. It returns false until the last part has arrived.
func (s *stream) assemble(raw rawLine, now time.Time, t *tally.Tally) (rawLine, bool) {
	if s.parts == nil {
		if !raw.partial || raw.last {
			return raw, true
		}
		s.parts = newEntry(raw, now)
		s.parts.add(raw.text, raw.at, now)
		return raw, false
	}
	t.Drop(tally.RuleJoinedLine, tally.KindLogRecord, 1)
	s.parts.add(raw.text, raw.at, now)
	if raw.partial && !raw.last {
		return raw, false
	}
	return s.whole(), true
}

func (s *stream) whole() rawLine {
	raw := s.parts.raw
	raw.text, raw.cut = s.parts.text.String(), s.parts.cut
	s.parts = nil
	return raw
}

// add appends a line to the entry that it continues, or begins a new entry with it.
func (j *Joiner) add(s *stream, raw rawLine, now time.Time, out *output, t *tally.Tally) {
	line, known := logline.Parse(raw.text, j.set.TimeZone)
	if !known && s.entry != nil && j.follows(s.entry, raw) {
		s.entry.add("\n"+raw.text, raw.at, now)
		t.Drop(tally.RuleJoinedLine, tally.KindLogRecord, 1)
		return
	}
	s.close(out)
	e := newEntry(raw, now)
	e.line, e.known = line, known
	message := raw.text
	if known {
		message = line.Message
	}
	e.add(message, raw.at, now)
	e.cut = e.cut || raw.cut
	s.entry = e
	if open := (known && line.Open && line.Request.Status == 0) || logline.IsTraceback(raw.text); !open {
		s.close(out)
	}
}

// follows reports whether a line in no known format can continue an entry. Dify writes an entry at once, so a line
// that arrives later is something else.
func (j *Joiner) follows(e *entry, raw rawLine) bool {
	if e.last == 0 || raw.at == 0 {
		return true
	}
	return raw.at.AsTime().Sub(e.last.AsTime()) <= j.set.JoinWait+time.Second // Docker sends whole seconds
}

func (s *stream) close(out *output) {
	if s.entry != nil {
		out.add(s.entry)
		s.entry = nil
	}
}
