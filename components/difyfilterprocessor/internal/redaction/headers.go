// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"encoding/base64"
	"strings"
)

// bearer cuts the token after the words Bearer and Basic.
func (s announcements) bearer(at int) int {
	const shortest = 6
	for _, scheme := range [...]string{"bearer", "basic"} {
		after := at + len(scheme)
		if after >= len(s.text) || !strings.EqualFold(s.text[at:after], scheme) || !boundary(s.text, at) {
			continue
		}
		start := pastBlanks(s.text, after)
		if next := schemeEnd(s.text, start); next > 0 {
			return start // Bearer Bearer x
		}
		quoted := start < len(s.text) && strings.IndexByte("\"'`", s.text[start]) >= 0
		if quoted {
			start++
		}
		end := tokenEnd(s.text, start)
		if quoted && !looksRandom(s.text[start:end]) || start == after || end-start < shortest || s.text[start:end] == Mask {
			return at
		}
		token := s.text[start:end]
		if (scheme == "basic" && !isBasic(token)) || (scheme == "bearer" && !isBearer(token, s.text[end:])) {
			return at
		}
		return s.cut(start, end, ruleAnnounced)
	}
	return at
}

func pastBlanks(text string, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t') {
		at++
	}
	if strings.HasPrefix(text[at:], "%20") {
		at += 3
	} else if at < len(text) && text[at] == '+' {
		at++ // a blank in a form
	}
	return at
}

// tokenEnd returns the end of a token of a header, without the end of a sentence.
func tokenEnd(text string, at int) int {
	begin := at
	for at < len(text) && (isAlnum(text[at]) || strings.IndexByte("-._~+/=%:|!$*", text[at]) >= 0) {
		at++
	}
	for at > begin && (text[at-1] == '.' || text[at-1] == ':') {
		at--
	}
	return at
}

// isBasic reports whether a token is the Base64 of user:password.
func isBasic(token string) bool {
	const long = 1024
	if len(token) > long {
		return true
	}
	login, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(token, "="))
	return err == nil && strings.IndexByte(string(login), ':') >= 0
}

// isBearer reports whether what follows the word Bearer is not a word of a sentence.
func isBearer(token, after string) bool {
	if strings.Contains(token, Mask) || isPlaceholder(token) || isMasked(token) {
		return false
	}
	if isLetters(token) && !hasMixedCase(token[1:]) {
		return len(token) >= 20
	}
	return !isReference(token, "bearer") && !strings.HasPrefix(after, "(")
}
