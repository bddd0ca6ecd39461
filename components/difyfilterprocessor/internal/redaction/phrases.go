// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// isNameInitial reports whether token, key or password may be around a k or a w.
func isNameInitial(text string, at int) bool {
	if at+3 >= len(text) {
		return false
	}
	switch text[at] {
	case 'k', 'K':
		return text[at+1]|0x20 == 'e' && (text[at+2]|0x20 == 'y' || text[at+2]|0x20 == 'n') && !isAlnum(text[at+3])
	default:
		return at >= 2 && text[at-1]|0x20 == 's' && text[at-2]|0x20 == 's' && text[at+1]|0x20 == 'o' &&
			at+4 < len(text) && text[at+2]|0x20 == 'r' && text[at+3]|0x20 == 'd' && !isAlnum(text[at+4])
	}
}

// phrase cuts a value that follows the name of a secret in a sentence, a table or a command, without a sign: the token
// x is invalid, | password | x |, set api_key x. It must look random.
func (s announcements) phrase(at int) int {
	const shortest, longest = 10, 512
	end := at + 3
	if s.text[at]|0x20 == 'w' {
		end++
	}
	from := pastConnector(s.text, end)
	if from == end || from == len(s.text) {
		return at
	}
	to := tokenEnd(s.text[:min(len(s.text), from+longest)], from)
	if to-from < shortest || to-from == longest || !looksRandom(s.text[from:to]) ||
		strings.Contains(s.text[from:to], Mask) {
		return at
	}
	if !announcesPhrase(s.text, end) || to < len(s.text) && strings.IndexByte("([", s.text[to]) >= 0 {
		return at
	}
	return s.cut(from, to, ruleAnnounced)
}

// pastConnector returns where a value may begin after a name. What it skips has a blank or a quotation mark.
func pastConnector(text string, at int) int {
	from := skipAny(text, at, " \t|`'\"")
	for _, word := range [...]string{"is ", "was ", "-> ", "=> ", "→ ", "→", "~ ", "set to ", "<<< "} {
		if strings.HasPrefix(text[from:], word) {
			from += len(word)
			break
		}
	}
	return skipAny(text, from, " \t|`'\"(")
}

// skipAny skips up to a few of these bytes.
func skipAny(text string, at int, set string) int {
	const most = 40
	for end := min(len(text), at+most); at < end && strings.IndexByte(set, text[at]) >= 0; {
		at++
	}
	return at
}

// announcesPhrase reports whether the word that ends here announces a secret, alone or with the word before it.
func announcesPhrase(text string, end int) bool {
	name := nameBefore(text, end)
	if announces(name) == strong {
		return true
	}
	if !strings.EqualFold(name, "key") {
		return false
	}
	before := nameBefore(text, end-len(name))
	switch strings.ToLower(before[strings.LastIndexAny(before, "-_.")+1:]) {
	case "api", "access", "secret", "private", "encryption", "signing", "license", "account":
		return true
	}
	return false
}

// wideBrackets enclose a value after a name in Chinese.
var wideBrackets = [...]string{"「", "『", "“", "（", "】"}

// wideBracket returns the length of an opening bracket, or 0.
func wideBracket(text string) int {
	for _, bracket := range wideBrackets {
		if strings.HasPrefix(text, bracket) {
			return len(bracket)
		}
	}
	return 0
}

// bracketed cuts a value in brackets after a name, if it looks random: 密码（x）.
func (s announcements) bracketed(at, size int) int {
	from := at + size
	if from == len(s.text) || s.text[from] >= 0x80 {
		return at + 1
	}
	name, to := nameBefore(s.text, at), bareEnd(s.text, from)
	if name == "" || !looksRandom(s.text[from:to]) || announces(name) != strong {
		return at + 1
	}
	return s.cut(from, to, ruleAnnounced)
}
