// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// decoded is a text without one level of escapes, with the position of each of its bytes in the original.
type decoded struct {
	text string
	at   []int // one more than the text has bytes
}

// maxLevels is the number of levels of escapes that are searched: JSON in JSON, percent-encoded twice.
const maxLevels = 3

// entities are the character references of XML that matter here.
var entities = [...]struct {
	name string
	char byte
}{
	{"&quot;", '"'},
	{"&#34;", '"'},
	{"&#x22;", '"'},
	{"&apos;", '\''},
	{"&#39;", '\''},
	{"&#x27;", '\''},
	{"&amp;", '&'},
	{"&#38;", '&'},
	{"&lt;", '<'},
	{"&#60;", '<'},
	{"&gt;", '>'},
	{"&#62;", '>'},
	{"&#61;", '='},
	{"&#x3d;", '='},
	{"&#x3D;", '='},
	{"&nbsp;", ' '},
	{"&equals;", '='},
	{"&colon;", ':'},
}

// isEscape reports whether the byte at a position can begin an escape.
func isEscape(text string, at int) bool {
	return text[at] != '%' || at+2 < len(text) && isHexDigit(text[at+1]) && isHexDigit(text[at+2])
}

// decode removes one level of escapes: backslashes, percent-encoding, character references, colors. It reports
// whether there were any.
func decode(d decoded) (decoded, bool) {
	out := decoded{at: make([]int, 0, len(d.text)+1)}
	var b strings.Builder
	b.Grow(len(d.text))
	changed := false
	for i := 0; i < len(d.text); {
		char, size := unescape(d.text[i:])
		if size == 0 {
			char, size = d.text[i], 1
		} else {
			changed = true
		}
		b.WriteByte(char)
		out.at = append(out.at, d.original(i))
		i += size
	}
	out.text, out.at = b.String(), append(out.at, d.original(len(d.text)))
	return out, changed
}

// original returns the position in the original text.
func (d *decoded) original(at int) int {
	if d.at == nil {
		return at
	}
	return d.at[at]
}

// unescape returns the character that an escape at the start of a text stands for, and the length of the escape. A
// color stands for a blank.
func unescape(text string) (char byte, size int) {
	switch text[0] {
	case '\\':
		return backslash(text)
	case '%':
		if len(text) > 2 && isHexDigit(text[1]) && isHexDigit(text[2]) {
			return hexValue(text[1:3]), 3
		}
	case '&':
		for _, e := range entities {
			if strings.HasPrefix(text, e.name) {
				return e.char, len(e.name)
			}
		}
	case 0x1b:
		if len(text) > 2 && text[1] == '[' {
			end := 2
			for end < len(text) && end < 16 && (isDigit(text[end]) || text[end] == ';') {
				end++
			}
			if end < len(text) && text[end] == 'm' {
				return ' ', end + 1
			}
		}
	}
	return 0, 0
}

func backslash(text string) (char byte, size int) {
	if len(text) < 2 {
		return 0, 0
	}
	switch c := text[1]; c {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case '"', '\'', '\\', '/':
		return c, 2
	case 'u':
		if len(text) >= 6 && text[2] == '0' && text[3] == '0' && isHexDigit(text[4]) && isHexDigit(text[5]) {
			return hexValue(text[4:6]), 6
		}
	case '0':
		if strings.HasPrefix(text, `\033[`) {
			return 0x1b, 4
		}
	case 'x':
		if len(text) >= 4 && isHexDigit(text[2]) && isHexDigit(text[3]) {
			return hexValue(text[2:4]), 4
		}
	}
	return 0, 0
}

func hexValue(digits string) byte {
	value := byte(0)
	for i := range len(digits) {
		d := digits[i]
		switch {
		case isDigit(d):
			d -= '0'
		default:
			d = d | 0x20 - 'a' + 10
		}
		value = value<<4 | d
	}
	return value
}
