// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// nameBefore returns the name that ends before a sign, ignoring blanks, quotes and brackets: headers["x-api-key"] = x.
func nameBefore(text string, at int) string {
	end := at
	for end > 0 && at-end < 6 && nameBytes[text[end-1]]&afterName != 0 {
		end--
	}
	begin := end
	for begin > 0 && end-begin < longestName && nameBytes[text[begin-1]]&inName != 0 {
		begin--
	}
	return text[begin:end]
}

const (
	inName    byte = 1 << iota // a byte of a name
	afterName                  // a byte between a name and a sign
)

var nameBytes = func() (set [256]byte) {
	for c := range set {
		if isAlnum(byte(c)) || c >= 0x80 || c == '_' || c == '-' || c == '.' {
			set[c] = inName
		}
	}
	for _, c := range []byte(" \"'`\\])=!:*}?[%") {
		set[c] |= afterName
	}
	return set
}()

// value is a part of a text after a name and a sign.
type value struct {
	from, to  int
	quoted    bool
	structure bool // in brackets
	spaced    bool // a blank precedes it
}

// findValue finds the value that begins at or after a position. If wide, it may begin on the next line. The end of a
// value without quotes or brackets is left to bareEnd.
func findValue(text string, at int, wide bool) value {
	start := at
	for at < len(text) && (strings.IndexByte(" \t>=:", text[at]) >= 0) && at-start < 64 {
		if text[at] == ':' && at > start {
			break
		}
		at++
	}
	if wide {
		at = nextLine(text, at)
	}
	if at < len(text) && text[at] >= 0x80 {
		at += wideBracket(text[at:])
	}
	v := value{from: at, to: at, spaced: at > start}
	open := at
	for i := 0; i < 2 && open < len(text) && strings.IndexByte("bBuUrRfF", text[open]) >= 0; i++ {
		open++
	}
	slashes := 0
	for open+slashes < len(text) && text[open+slashes] == '\\' {
		slashes++
	}
	if q := open + slashes; q < len(text) && (text[q] == '"' || text[q] == '\'' || text[q] == '`') {
		v.quoted, v.from = true, q+1
		if strings.HasPrefix(text[q:], `"""`) || strings.HasPrefix(text[q:], `'''`) {
			v.from = q + 3
			v.to = indexOrEnd(text, text[q:q+3], v.from)
			return v
		}
		v.to = quoteEnd(text, q+1, text[q], slashes)
		return v
	}
	if at < len(text) && strings.IndexByte("[({", text[at]) >= 0 && isStructure(text, at) {
		v.structure = true
		v.from, v.to = at, bracketEnd(text, at)
		return v
	}
	return v
}

// quoteFollows reports whether a value at or after a position may be quoted. It is cheaper than findValue.
func quoteFollows(text string, at int) bool {
	const longestPrefix = 64 + 2 + 8
	for end := min(len(text), at+longestPrefix); at < end; at++ {
		switch c := text[at]; {
		case c == '"' || c == '\'' || c == '`':
			return true
		case strings.IndexByte(" \t>=:bBuUrRfF\\", c) < 0:
			return false
		}
	}
	return at < len(text)
}

// nextLine returns where the value on the next line begins if nothing else follows on this line, as in YAML.
func nextLine(text string, at int) int {
	next := at
	if next < len(text) && strings.IndexByte(`|>-+\`, text[next]) >= 0 && next+1 < len(text) {
		next++
		if text[next] == '-' || text[next] == '+' {
			next++
		}
	}
	if next >= len(text) || (text[next] != '\n' && text[next] != '\r') {
		return at
	}
	line := next
	for line < len(text) && (text[line] == '\n' || text[line] == '\r') && line-next < 4 {
		line++
	}
	first := line
	for line < len(text) && (text[line] == ' ' || text[line] == '\t') && line-first < 64 {
		line++
	}
	if line == len(text) {
		return at
	}
	indented := line > first || text[line] == '"' || text[line] == '\''
	if text[line] == '-' && line+1 < len(text) && text[line+1] == ' ' {
		line += 2 // the first item of a list
	}
	end := bareEnd(text, line)
	word := text[line:end]
	if word != "" && (word[len(word)-1] == ':' || strings.HasPrefix(text[end:], ":") ||
		strings.Contains(word, "=")) {
		return at // another name
	}
	if !indented && (!looksRandom(word) || end < len(text) && text[end] != '\n' && text[end] != '\r') {
		return at // another line
	}
	return line
}

// isStructure reports whether a bracket begins a structure with quoted texts or numbers, or a nested one.
func isStructure(text string, at int) bool {
	const near = 16
	end := min(len(text), at+near)
	at++
	for at < end && (isBlank(text[at]) || strings.IndexByte("[({\\bu", text[at]) >= 0) {
		at++
	}
	return at < len(text) && (text[at] == '"' || text[at] == '\'')
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func indexOrEnd(text, word string, from int) int {
	if n := strings.Index(text[from:], word); n >= 0 {
		return from + n
	}
	return len(text)
}

// quoteEnd returns the position of the closing quote, which has no more backslashes before it than the opening quote.
// So it works in JSON, and in JSON within JSON.
func quoteEnd(text string, at int, quote byte, slashes int) int {
	before := 0
	for ; at < len(text); at++ {
		switch text[at] {
		case '\\':
			before++
			continue
		case quote:
			if before <= slashes || (slashes == 0 && before%2 == 0) {
				return at - min(before, slashes)
			}
		}
		before = 0
	}
	return len(text)
}

// bracketEnd returns the position after the bracket that closes the one at this position, ignoring brackets in quotes.
func bracketEnd(text string, at int) int {
	depth := 0
	for at < len(text) {
		switch text[at] {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
			if depth == 0 {
				return at + 1
			}
		case '"', '\'':
			slashes := slashesBefore(text, at)
			at = quoteEnd(text, at+1, text[at], slashes) + slashes
		}
		at++
	}
	return len(text)
}

func slashesBefore(text string, at int) int {
	n := 0
	for at > n && text[at-n-1] == '\\' {
		n++
	}
	return n
}

func lineEnd(text string, at int) int {
	if n := strings.IndexAny(text[at:], "\r\n\"'`"); n >= 0 {
		return at + n
	}
	return len(text)
}

// bareEnd returns the end of a value without quotes. A sign that separates values ends it only if it is followed by
// what may follow a value.
func bareEnd(text string, at int) int {
	begin := at
	for at < len(text) {
		switch c := text[at]; {
		case isAlnum(c):
		case c <= ' ' || c == '`':
			return at
		case c == 0xE2 || c == 0xE3 || c == 0xEF:
			return at // punctuation of Chinese
		case c == '\\' && at+1 < len(text) && strings.IndexByte("nrt\"'", text[at+1]) >= 0:
			return at
		case c == '\\' && strings.HasPrefix(text[at:], `\u00`):
			return at
		case strings.IndexByte(",;&)}]\"'<|", c) >= 0 && at > begin && endsValue(text, at):
			return at
		}
		at++
	}
	return at
}

// endsValue reports whether the sign at a position ends a bare value.
func endsValue(text string, at int) bool {
	c, next := text[at], at+1
	if next == len(text) {
		return true
	}
	n := text[next]
	switch c {
	case ',', ';', '&', '|':
		if n == ' ' || n == '\n' || n == '\r' || strings.IndexByte("\"'{[(<,;&", n) >= 0 {
			return true
		}
		return isNextName(text, next)
	case '"', '\'':
		return !isAlnum(n)
	case '<':
		return n == '/' || isLower(n) || isUpper(n)
	}
	return !isAlnum(n)
}

// isNextName reports whether another name and its sign follow.
func isNextName(text string, at int) bool {
	end := at
	for end < len(text) && end-at < longestName && (isAlnum(text[end]) || strings.IndexByte("_-.", text[end]) >= 0) {
		end++
	}
	return end > at && end < len(text) && (text[end] == '=' || text[end] == ':' ||
		strings.HasPrefix(text[end:], "%3"))
}
