// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// statement cuts the literals in the statement that SQLAlchemy quotes ([SQL: ...]).
func (s quotes) statement(at int) int {
	const (
		opening = "[SQL: "
		longest = 16 << 10
	)
	if !strings.HasPrefix(s.text[at:], opening) {
		return at
	}
	end := min(len(s.text), at+longest)
	for _, next := range [...]string{opening, "[parameters: ", "(Background on this error"} {
		if n := strings.Index(s.text[at+1:end], next); n >= 0 {
			end = at + 1 + n
		}
	}
	s.quotedIn(at, end)
	return at + len(opening) // it may have secrets too
}

// statementLine cuts the literals in the line of the statement that PostgreSQL quotes (LINE 1: ...).
func (s quotes) statementLine(at int) int {
	const (
		opening = "LINE "
		longest = 1 << 10 // PostgreSQL quotes about 60 characters
	)
	if !strings.HasPrefix(s.text[at:], opening) {
		return at
	}
	n := at + len(opening)
	for n < len(s.text) && isDigit(s.text[n]) && n-at < 12 {
		n++
	}
	if n == at+len(opening) || !strings.HasPrefix(s.text[n:], ": ") {
		return at
	}
	from := n + len(": ")
	end := endOfLine(s.text[:min(len(s.text), from+longest)], from)
	line := s.text[from:end]
	if strings.HasPrefix(line, "...") && strings.Count(line, "'")%2 == 1 && !strings.HasPrefix(line, "..."+Mask) {
		quote := strings.IndexByte(line, '\'') // the line begins within a literal
		s.cut(from+len("..."), from+quote, ruleSQL)
		from += quote + 1
	}
	s.quotedIn(from, end)
	return from // it may have secrets too
}

// quotedIn cuts the quoted literals in a part of the text.
func (s quotes) quotedIn(at, end int) {
	for at < end {
		n := strings.IndexByte(s.text[at:end], '\'')
		if n < 0 {
			return
		}
		at += n
		slashes := slashesBefore(s.text[:at], at)
		to := quoteEnd(s.text[:end], at+1, '\'', slashes)
		s.cut(at+1, to, ruleSQL)
		at = to + slashes + 1
	}
}

// endOfLine returns the position of the next newline, or of the two characters \n in the representation of a Python
// object.
func endOfLine(text string, at int) int {
	for at < len(text) {
		n := strings.IndexAny(text[at:], "\n\\")
		if n < 0 {
			break
		}
		at += n
		if text[at] == '\n' || strings.HasPrefix(text[at:], `\n`) {
			return at
		}
		at++
	}
	return len(text)
}

// sqlParameters cuts the values that SQLAlchemy writes below a failed statement.
func (s quotes) sqlParameters(at int) int {
	const opening = "[parameters: "
	if !strings.HasPrefix(s.text[at:], opening) {
		return at
	}
	from := at + len(opening)
	end := bracketEnd(s.text, at)
	if end == from || s.text[end-1] != ']' {
		return s.cut(from, end, ruleAnnounced)
	}
	s.cut(from, end-1, ruleAnnounced)
	return end
}
