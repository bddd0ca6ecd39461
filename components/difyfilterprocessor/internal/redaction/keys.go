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

// dottedKey finds keys that are recognized by a dot: web tokens whose first part does not begin with eyJ, Zhipu's
// <32 hexadecimal digits>.<16 characters>, Discord's, and Airtable's pat<14 characters>.<64 hexadecimal digits>.
func (s keys) dottedKey(at int) int {
	const least, most, longest = 17, 40, 80
	if at < least || !isAlnum(s.text[at-least]) || !isAlnum(s.text[at-least/2]) {
		return at
	}
	if strings.HasPrefix(s.text[at+1:], "ey") {
		return s.webTokenAround(at)
	}
	begin := at
	for begin > 0 && at-begin < most && isAlnum(s.text[begin-1]) {
		begin--
	}
	end := min(len(s.text), at+longest)
	end = alphabetEnd(s.text[:end], at+1, base64url)
	switch n := at - begin; {
	case n == 32 && end-at > 16 && alphabetEnd(s.text[:at], begin, hexDigits) == at && hasDigit(s.text[begin:at]):
		return s.cut(begin, end, ruleShape)
	case n == least && strings.HasPrefix(s.text[begin:], "pat") && alphabetEnd(s.text, at+1, hexDigits)-at-1 == 64:
		return s.cut(begin, at+1+64, ruleShape)
	case n >= 23 && n <= 28 && end-at-1 == 6 && end < len(s.text) && s.text[end] == '.' &&
		looksRandom(s.text[begin:at]):
		if last := alphabetEnd(s.text, end+1, base64url); last-end-1 >= 27 {
			return s.cut(begin, last, ruleShape)
		}
	}
	return at
}

// webTokenAround cuts a web token whose first dot is here.
func (s keys) webTokenAround(at int) int {
	const longest = 4 << 10
	begin := at
	for begin > 0 && at-begin < longest && inAlphabet[s.text[begin-1]]&(1<<base64url) != 0 {
		begin--
	}
	if !strings.HasPrefix(s.text[begin:], "ey") || !boundary(s.text, begin) {
		return at
	}
	return s.webToken(begin)
}

// azureSecret cuts the secret of a Microsoft Entra application, which has Q~ after four characters.
func (s keys) azureSecret(at int) int {
	const before, least, most = 5, 31, 34
	begin := at - before
	if begin < 0 || s.text[at-1] != 'Q' || !isDigit(s.text[at-2]) || !boundary(s.text, begin) {
		return at
	}
	end := alphabetEnd(s.text, at+1, tilde)
	for s.text[end-1] == '.' {
		end-- // the end of a sentence
	}
	if end-at-1 >= least && end-at-1 <= most {
		return s.cut(begin, end, ruleShape)
	}
	return at
}

// appToken cuts Facebook's <15 or 16 digits>|<27 to 40 characters>.
func (s keys) appToken(at int) int {
	const fewest, digits, least, most = 15, 16, 27, 40
	begin := at
	for begin > 0 && at-begin <= digits && isDigit(s.text[begin-1]) {
		begin--
	}
	if at-begin < fewest || at-begin > digits {
		return at
	}
	if end := alphabetEnd(s.text, at+1, base64url); end-at-1 >= least && end-at-1 <= most+2 {
		return s.cut(at+1, end, ruleShape)
	}
	return at
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
	case strings.HasPrefix(first, "BEGIN"):
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
