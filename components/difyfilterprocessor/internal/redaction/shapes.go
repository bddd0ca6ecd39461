// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"strings"
)

// webTokenAt finds a JSON Web Token, which begins with eyJ.
func webTokenAt(text string, at int) (cut, int) {
	if at < 0 || !strings.HasPrefix(text[at:], "eyJ") {
		return cut{}, 0
	}
	run := runEnd(text, at, true)
	if end := webTokenEnd(text, at, run); end > 0 && boundary(text, at) {
		return cut{at, end}, end
	}
	return cut{}, run
}

// googleKeyAt finds a Google API key, which begins with AIza.
func googleKeyAt(text string, at int) (cut, int) {
	const long = 34
	if at < 0 || !strings.HasPrefix(text[at:], "AIza") {
		return cut{}, 0
	}
	end := runEnd(text, at, true)
	if end-at >= long && boundary(text, at) {
		return cut{at + len("AIza"), end}, end
	}
	return cut{}, end
}

// boundary reports whether a word can begin at this position: at the start of the text, after a character that is not
// a letter or digit, or after a percent-encoded byte (%20app-...).
func boundary(text string, at int) bool {
	if at == 0 || !isAlnum(text[at-1]) {
		return true
	}
	if at >= 2 && text[at-2] == '\\' { // \n in text within JSON
		return true
	}
	return at >= 3 && text[at-3] == '%' && isHexDigit(text[at-2]) && isHexDigit(text[at-1])
}

func runEnd(text string, at int, dashes bool) int {
	for at < len(text) && (isAlnum(text[at]) || (dashes && (text[at] == '-' || text[at] == '_'))) {
		at++
	}
	return at
}

// webTokenEnd returns the end of a JSON Web Token whose first part ends at run: base64url with dots. It returns 0 if
// there is none.
func webTokenEnd(text string, at, run int) int {
	if run == len(text) || text[run] != '.' || run-at < 10 {
		return 0
	}
	end := run
	for end < len(text) && text[end] == '.' {
		next := runEnd(text, end+1, true)
		if next == end+1 {
			break
		}
		end = next
	}
	return end
}

// privateKeyAt finds the content of a PEM block whose first line ends here. If the last line is missing, it is the
// rest of the text.
func privateKeyAt(text string, at int) (cut, int) {
	from := at + len("-----")
	if !strings.HasPrefix(text[at:], "-----") || !strings.HasSuffix(text[:at], "PRIVATE KEY") ||
		!strings.Contains(text[max(0, at-35):at], "-----BEGIN ") {
		return cut{}, 0
	}
	end := index(text, "-----END", from)
	if end < 0 {
		end = len(text)
	}
	if text[from:end] == Mask {
		return cut{}, end
	}
	return cut{from, end}, min(end+len("-----END "), len(text))
}

// bearerAt finds the token after the word Bearer.
func bearerAt(text string, at int) (cut, int) {
	const word, shortest = "bearer", 6
	after := at + len(word)
	if after > len(text) || (text[at+1:after] != "earer" && text[at+1:after] != "EARER") {
		return cut{}, 0
	}
	start := pastBlanks(text, after)
	end := bearerEnd(text, start)
	if start == after || end-start < shortest {
		return cut{}, end
	}
	return cut{start, end}, end
}

func pastBlanks(text string, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t') {
		at++
	}
	if strings.HasPrefix(text[at:], "%20") {
		at += 3
	}
	return at
}

func bearerEnd(text string, at int) int {
	for at < len(text) && (isAlnum(text[at]) || strings.IndexByte("-._~+/=%", text[at]) >= 0) {
		at++
	}
	return at
}

// parametersAt finds the values that SQLAlchemy writes below a failed statement.
func parametersAt(text string, at int) (cut, int) {
	const opening = "[parameters: "
	if !strings.HasPrefix(text[at:], opening) {
		return cut{}, 0
	}
	from, line := at+len(opening), len(text)
	if n := indexByte(text, '\n', from); n >= 0 {
		line = n
	}
	end := from + len(strings.TrimSuffix(text[from:line], "]"))
	if text[from:end] == Mask {
		return cut{}, line
	}
	return cut{from, end}, line
}

func index(text, word string, from int) int {
	if at := strings.Index(text[from:], word); at >= 0 {
		return from + at
	}
	return -1
}

func indexByte(text string, c byte, from int) int {
	if at := strings.IndexByte(text[from:], c); at >= 0 {
		return from + at
	}
	return -1
}

func isAlnum(c byte) bool {
	return ('0' <= c && c <= '9') || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z')
}

func isHexDigit(c byte) bool {
	return ('0' <= c && c <= '9') || ('a' <= c && c <= 'f') || ('A' <= c && c <= 'F')
}
