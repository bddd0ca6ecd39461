// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// keys finds keys and tokens that have no fixed prefix at their beginning.
type keys struct{ *scan }

// webToken cuts a JSON Web Token, which begins with eyJ here, and returns where the search continues.
func (s keys) webToken(at int) int {
	if at < s.tokenRun {
		return at // within the first part of what is not a token
	}
	run := alphabetEnd(s.text, at, base64url)
	s.tokenRun = run
	if run == len(s.text) || s.text[run] != '.' || run-at < 10 || !boundary(s.text, at) {
		return at + 1
	}
	end := run
	for end < len(s.text) && s.text[end] == '.' {
		next := alphabetEnd(s.text, end+1, base64url)
		if next == end+1 {
			break
		}
		end = next
	}
	return s.cut(at, end, ruleShape)
}

// dottedKey finds keys that are recognized by a dot: Zhipu's <32 hexadecimal digits>.<16 characters>, and Discord's.
func (s keys) dottedKey(at int) int {
	const least = 23 // characters before the dot
	if at < least || !isAlnum(s.text[at-least]) || !isAlnum(s.text[at-least/2]) {
		return at
	}
	begin := at
	for begin > 0 && at-begin < 40 && isAlnum(s.text[begin-1]) {
		begin--
	}
	end := min(len(s.text), at+80)
	end = alphabetEnd(s.text[:end], at+1, base64url)
	switch n := at - begin; {
	case n == 32 && end-at > 16 && alphabetEnd(s.text[:at], begin, hexDigits) == at && hasDigit(s.text[begin:at]):
		return s.cut(begin, end, ruleShape)
	case n >= 23 && n <= 28 && end-at-1 == 6 && end < len(s.text) && s.text[end] == '.' &&
		looksRandom(s.text[begin:at]):
		if last := alphabetEnd(s.text, end+1, base64url); last-end-1 >= 27 {
			return s.cut(begin, last, ruleShape)
		}
	}
	return at + 1
}

// privateKey cuts the content of a PEM block whose first line begins or ends here, or, if that is missing, the lines
// before its last line.
func (s keys) privateKey(at int) int {
	const longestLabel = 48
	label := s.text[at+5 : min(len(s.text), at+5+longestLabel)]
	first, _, ended := strings.Cut(label, "-----")
	if !ended || !strings.Contains(first, "PRIVATE KEY") {
		return at
	}
	after := at + 5 + len(first) + 5
	switch {
	case strings.HasPrefix(first, "BEGIN "):
		end := indexOrEnd(s.text, "-----END", after)
		if strings.TrimSpace(s.text[after:end]) == Mask {
			return end
		}
		s.cut(after, end, ruleShape)
		return min(len(s.text), end+len("-----END "))
	case strings.HasPrefix(first, "END "):
		begin := at
		for begin > 0 && at-begin < 8<<10 && (inAlphabet[s.text[begin-1]]&(1<<base64std) != 0 ||
			isBlank(s.text[begin-1]) ||
			s.text[begin-1] == '\\') {
			begin--
		}
		if at-begin >= 32 {
			s.cut(begin, at, ruleShape)
		}
		return after
	}
	return at
}

// botToken finds Telegram's <number>:A<34 characters>.
func (s keys) botToken(at int) int {
	if at < 5 || at+35 > len(s.text) || s.text[at+1] != 'A' || !isDigit(s.text[at-1]) || !s.shapes {
		return 0
	}
	if end := alphabetEnd(s.text, at+1, base64url); end-at-1 >= 33 && end-at-1 <= 40 {
		return s.cut(at+1, end, ruleShape)
	}
	return 0
}
