// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// isMessage reports whether an attribute is a text that a program writes about an event, which may quote content.
func isMessage(key string) bool {
	switch key {
	case attrs.ExceptionMessage, attrs.ExceptionStacktrace, attrs.LogMessage, "message", "error.message", "error",
		difysemconv.AttrRunError, difysemconv.AttrOriginalStatus, "dify.workflow.abort.reason":
		return true
	}
	return false
}

// findContent appends the content of users that a message quotes to cuts: whole bodies, the arguments of a run,
// rejected values, rows and statements in the error messages of databases, and the queries of URLs.
func findContent(cuts []cut, text string, queries bool) []cut {
	for _, opening := range [...]string{"Request Body:", "Response Body:"} {
		if at := strings.Index(text, opening); at >= 0 && strings.TrimSpace(text[at+len(opening):]) != Mask {
			cuts = append(cuts, cut{at + len(opening), len(text)})
		}
	}
	cuts = findArguments(cuts, text)
	cuts = findRows(cuts, text)
	cuts = findStatements(cuts, text)
	if queries {
		cuts = findQueries(cuts, text)
	}
	return cuts
}

// contentWords are names of variables with content, in calls, in the representation of Python objects and in JSON.
var contentWords = map[string]bool{
	"args": true, "inputs": true, "input": true, "outputs": true, "output": true, "query": true, "prompt": true,
	"completion": true,
	"answer":     true, "files": true, "arguments": true, "tool_parameters": true, "payload": true,
	"prompt_messages": true,
	"input_value":     true, "content": true,
}

// findArguments finds the value after one of contentWords if it is quoted or in brackets, as in args={'inputs': ...}.
func findArguments(cuts []cut, text string) []cut {
	done := 0
	for at := strings.IndexAny(text, "=:"); at >= 0; {
		if at >= done && contentWords[strings.ToLower(nameBefore(text, at))] {
			if from, to := valueSpan(text, at+1); to > from {
				if value := text[from:to]; value != Mask && value != "'"+Mask+"'" && value != `"`+Mask+`"` {
					cuts = append(cuts, cut{from, to})
				}
				done = to
			}
		}
		next := strings.IndexAny(text[at+1:], "=:")
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return cuts
}

// nameBefore returns the name that ends before this position, ignoring quotes.
func nameBefore(text string, at int) string {
	const longest = 24
	end := at
	for end > 0 && strings.IndexByte(`"'\`, text[end-1]) >= 0 {
		end--
	}
	begin := end
	for begin > 0 && end-begin < longest && (isAlnum(text[begin-1]) || text[begin-1] == '_') {
		begin--
	}
	return text[begin:end]
}

// valueSpan returns the quoted or bracketed text that begins at this position. Without a closing quote or bracket it
// ends with the text.
func valueSpan(text string, at int) (from, to int) {
	for at < len(text) && (text[at] == ' ' || text[at] == '\\') {
		at++
	}
	if at == len(text) {
		return at, at
	}
	switch text[at] {
	case '"', '\'':
		end := quoteEnd(text, at+1, text[at], slashesBefore(text, at))
		return at, min(len(text), end+slashesBefore(text, at)+1)
	case '{', '[', '(':
		return at, bracketEnd(text, at)
	}
	return at, at
}

func slashesBefore(text string, at int) int {
	n := 0
	for at > n && text[at-n-1] == '\\' {
		n++
	}
	return n
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

// findRows finds the values that databases quote when they reject a statement.
func findRows(cuts []cut, text string) []cut {
	for _, quote := range [...]struct{ opening, closing string }{
		{"Failing row contains (", ")."},
		{")=(", ")"},
		{"Duplicate entry '", "' for key"},
		{"Incorrect string value: '", "' for column"},
	} {
		for at := strings.Index(text, quote.opening); at >= 0; {
			from := at + len(quote.opening)
			to := endOfLine(text, from)
			if n := strings.LastIndex(text[from:to], quote.closing); n >= 0 {
				to = from + n
			}
			if text[from:to] != Mask {
				cuts = append(cuts, cut{from, to})
			}
			at = index(text, quote.opening, to)
		}
	}
	return cuts
}

// findStatements finds the line of the statement that PostgreSQL quotes (LINE 1: ...), and the literals in the
// statement that SQLAlchemy quotes ([SQL: ...]).
func findStatements(cuts []cut, text string) []cut {
	for at := strings.Index(text, "LINE "); at >= 0; at = index(text, "LINE ", at) {
		at += len("LINE ")
		n := at
		for n < len(text) && '0' <= text[n] && text[n] <= '9' {
			n++
		}
		if n == at || !strings.HasPrefix(text[n:], ": ") {
			continue
		}
		from := n + len(": ")
		at = max(from, endOfLine(text, from))
		if text[from:at] != Mask {
			cuts = append(cuts, cut{from, at})
		}
	}
	for at := strings.Index(text, "[SQL: "); at >= 0; {
		end := min(len(text), at+longestStatement)
		near := text[:end]
		for _, next := range [...]string{"[parameters: ", "(Background on this error"} {
			if n := index(near, next, at); n >= 0 {
				end = min(end, n)
			}
		}
		cuts = quotedIn(cuts, text, at, end)
		at = index(text, "[SQL: ", end)
	}
	return cuts
}

// longestStatement and longestAddress bound the length of one search, so that all searches together are linear.
const (
	longestStatement = 16 << 10
	longestAddress   = 4 << 10
)

func quotedIn(cuts []cut, text string, at, end int) []cut {
	for at = indexByte(text, '\'', at); at >= 0 && at < end; at = indexByte(text, '\'', min(at, len(text))) {
		to := min(end, quoteEnd(text, at+1, '\'', slashesBefore(text, at)))
		if value := text[at+1 : to]; value != "" && value != Mask {
			cuts = append(cuts, cut{at + 1, to})
		}
		at = to + slashesBefore(text, at) + 1
	}
	return cuts
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

// findQueries finds the queries of paths and URLs.
func findQueries(cuts []cut, text string) []cut {
	const (
		before = " \t\r\n\"'`()<>[]{},"
		ends   = " \t\r\n\"`<>\\" // a query may contain the other characters, such as commas and quotes of a user
	)
	last := 0
	for at := strings.IndexByte(text, '?'); at >= 0; at = indexByte(text, '?', at+1) {
		begin := max(last, at-longestAddress)
		last = at + 1
		begin += strings.LastIndexAny(text[begin:at], before) + 1
		if begin == at || (text[begin] != '/' && !strings.Contains(text[begin:at], "://")) {
			continue
		}
		to := len(text)
		if n := strings.IndexAny(text[at:], ends); n >= 0 {
			to = at + n
		}
		if query := text[at+1 : to]; query != "" && query != Mask {
			cuts = append(cuts, cut{at + 1, to})
		}
		at = to - 1
	}
	return cuts
}
