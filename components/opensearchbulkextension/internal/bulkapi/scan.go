// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import "bytes"

// span is the place of one raw JSON value in a document.
type span struct{ start, end int }

func (s span) found() bool { return s.end > s.start }

// scanner finds a few values in a JSON document without decoding the rest. Paths are dotted, and a dot may be part of
// a key or separate two objects: `attributes` → `log.record.uid` is found as well as `attributes` → `log` → `record`
// → `uid`, since the exporter's mapping modes write either. If several values have the same path, the one in the fewest
// objects wins, so that no attribute with an object as its value replaces an attribute; among these, the first.
// Values that are not wanted are skipped and not validated.
type scanner struct {
	doc    []byte
	pos    int
	path   []byte
	wanted []string
	found  []span
	depth  int   // number of objects around the current value
	depths []int // of the found values
}

// scan fills found with the places of the wanted values and reports whether doc is a JSON object as far as it was
// read. The next call reuses found.
func (s *scanner) scan(doc []byte, wanted []string) bool {
	s.doc, s.pos, s.path, s.wanted, s.depth = doc, 0, s.path[:0], wanted, 0
	s.found = append(s.found[:0], make([]span, len(wanted))...)
	s.depths = append(s.depths[:0], make([]int, len(wanted))...)
	return s.next() == '{' && s.object()
}

// count returns the number of elements of the array at a place in the document.
func (s *scanner) count(array span) (n int, ok bool) {
	s.pos = array.start
	if !array.found() || s.next() != '[' {
		return 0, false
	}
	s.pos++
	if s.next() == ']' {
		return 0, true
	}
	for s.skipValue() {
		n++
		switch s.next() {
		case ',':
			s.pos++
		case ']':
			return n, true
		default:
			return 0, false
		}
	}
	return 0, false
}

func (s *scanner) object() bool {
	s.pos++
	if s.next() == '}' {
		s.pos++
		return true
	}
	for {
		if s.next() != '"' {
			return false
		}
		start := s.pos + 1
		if !s.skipString() {
			return false
		}
		key := s.doc[start : s.pos-1]
		if s.next() != ':' {
			return false
		}
		s.pos++
		if !s.member(key) {
			return false
		}
		switch s.next() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return true
		default:
			return false
		}
	}
}

func (s *scanner) member(key []byte) bool {
	base := len(s.path)
	s.path = append(s.path, key...)
	defer func() { s.path = s.path[:base] }()

	if s.next() == '{' && s.leads() {
		s.path = append(s.path, '.')
		s.depth++
		defer func() { s.depth-- }()
		return s.object()
	}
	start := s.pos
	if !s.skipValue() {
		return false
	}
	for i, path := range s.wanted {
		if path == string(s.path) && (!s.found[i].found() || s.depth < s.depths[i]) {
			s.found[i], s.depths[i] = span{start, s.pos}, s.depth
		}
	}
	return true
}

// leads reports whether something wanted may lie below the current path.
func (s *scanner) leads() bool {
	n := len(s.path)
	for _, path := range s.wanted {
		if len(path) > n && path[n] == '.' && path[:n] == string(s.path) {
			return true
		}
	}
	return false
}

// next skips white space and returns the next byte without consuming it, or 0 at the end.
func (s *scanner) next() byte {
	for s.pos < len(s.doc) {
		switch b := s.doc[s.pos]; b {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return b
		}
	}
	return 0
}

func (s *scanner) skipString() bool {
	from := s.pos + 1
	for {
		quote := bytes.IndexByte(s.doc[from:], '"')
		if quote < 0 {
			return false
		}
		end := from + quote
		escapes := 0
		for s.doc[end-1-escapes] == '\\' { // ends at the opening quote at the latest
			escapes++
		}
		from = end + 1
		if escapes%2 == 0 {
			s.pos = from
			return true
		}
	}
}

func (s *scanner) skipValue() bool {
	switch s.next() {
	case '"':
		return s.skipString()
	case '{', '[':
		return s.skipNested()
	default:
		start := s.pos
		if end := bytes.IndexAny(s.doc[start:], ",}] \t\r\n"); end >= 0 {
			s.pos += end
		} else {
			s.pos = len(s.doc)
		}
		return s.pos > start
	}
}

func (s *scanner) skipNested() bool {
	depth := 0
	for s.pos < len(s.doc) {
		switch s.doc[s.pos] {
		case '"':
			if !s.skipString() {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.pos++
		if depth == 0 {
			return true
		}
	}
	return false
}
