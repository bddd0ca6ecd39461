// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scan

import "bytes"

// maxNumberLength bounds the number literals that are accepted. The longest exact float64 has 767 digits.
const maxNumberLength = 1024

// lexer reads the tokens of a JSON document.
type lexer struct {
	buf []byte
	pos int
}

// next skips whitespace and returns the next character without consuming it, or 0 at the end.
func (l *lexer) next() byte {
	for ; l.pos < len(l.buf); l.pos++ {
		switch c := l.buf[l.pos]; c {
		case ' ', '\n', '\t', '\r':
		default:
			return c
		}
	}
	return 0
}

func (l *lexer) literal(word string) error {
	if !bytes.HasPrefix(l.buf[l.pos:], []byte(word)) {
		return ErrMalformed
	}
	l.pos += len(word)
	return nil
}

// text reads a string. It returns the content as it is written.
func (l *lexer) text() (content []byte, escaped bool, err error) {
	if l.next() != '"' {
		return nil, false, ErrMalformed
	}
	l.pos++
	for start := l.pos; l.pos < len(l.buf); {
		switch c := l.buf[l.pos]; {
		case c == '"':
			l.pos++
			return l.buf[start : l.pos-1], escaped, nil
		case c == '\\':
			escaped = true
			n := escapeLength(l.buf[l.pos:])
			if n == 0 {
				return nil, false, ErrMalformed
			}
			l.pos += n
		case c < ' ':
			return nil, false, ErrMalformed
		default:
			l.pos++
		}
	}
	return nil, false, ErrMalformed
}

// escapeLength returns the length of an escape sequence, or 0 if it is not valid.
func escapeLength(buf []byte) int {
	const unicode = len(`\u0000`)
	switch {
	case len(buf) < 2:
		return 0
	case bytes.IndexByte([]byte(`"\/bfnrt`), buf[1]) >= 0:
		return 2
	case buf[1] == 'u' && len(buf) >= unicode && allHex(buf[2:unicode]):
		return unicode
	default:
		return 0
	}
}

func allHex(buf []byte) bool {
	for _, c := range buf {
		if ('0' > c || c > '9') && ('a' > c || c > 'f') && ('A' > c || c > 'F') {
			return false
		}
	}
	return true
}

// validID checks a trace or span ID, which may be empty.
func validID(content []byte, size int) error {
	if len(content) != 0 && (len(content) != 2*size || !allHex(content)) {
		return ErrMalformed
	}
	return nil
}

func validBase64(content []byte) error {
	if len(content)%4 != 0 {
		return ErrMalformed
	}
	content = bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("=")), []byte("="))
	for _, c := range content {
		if ('0' > c || c > '9') && ('a' > c || c > 'z') && ('A' > c || c > 'Z') && c != '+' && c != '/' {
			return ErrMalformed
		}
	}
	return nil
}

// numeral reads a number literal.
func (l *lexer) numeral() ([]byte, error) {
	rest := l.buf[l.pos:]
	rest = rest[:min(len(rest), maxNumberLength)]
	n := 0
	if n < len(rest) && rest[n] == '-' {
		n++
	}
	whole := digits(rest[n:])
	if whole == 0 || whole > 1 && rest[n] == '0' {
		return nil, ErrMalformed
	}
	n += whole
	if n < len(rest) && rest[n] == '.' {
		fraction := digits(rest[n+1:])
		if fraction == 0 {
			return nil, ErrMalformed
		}
		n += 1 + fraction
	}
	if n < len(rest) && rest[n]|0x20 == 'e' {
		n++
		if n < len(rest) && (rest[n] == '+' || rest[n] == '-') {
			n++
		}
		exponent := digits(rest[n:])
		if exponent == 0 {
			return nil, ErrMalformed
		}
		n += exponent
	}
	if n == maxNumberLength {
		return nil, ErrMalformed
	}
	l.pos += n
	return rest[:n], nil
}

func digits(buf []byte) int {
	for i, c := range buf {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(buf)
}
