// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// announcements finds secrets that a name or the word before them announces.
type announcements struct{ *scan }

// assignment handles the sign between a name and a value, as in password=x, "api_key": "x", ('api-key', 'x'),
// <password>x</password> or Authorization: Basic x. size is the length of the sign.
func (s announcements) assignment(at, size int) int {
	name := nameBefore(s.text, at)
	if name == "" {
		return at + 1
	}
	if name == "provided" {
		return s.provided(at)
	}
	if s.set.Secrets {
		if name == "name" && s.text[at] == '=' {
			if next := s.part(at); next > at {
				return next
			}
		}
		if certain := s.announced(name, at, size); certain != none {
			if next := s.secretAfter(name, certain, at, size); next > at {
				return next
			}
		}
	}
	if s.content {
		return quotes(s).contentAfter(name, at, size)
	}
	return at + 1
}

// provided handles what providers answer to a wrong key: Incorrect API key provided: x. Keys with a known prefix are
// found by their shape.
func (s announcements) provided(at int) int {
	before := strings.TrimSuffix(s.text[:at], " provided")
	from := pastBlanks(s.text, at+1)
	end := alphabetEnd(s.text, from, alnum)
	if announces(before[strings.LastIndexByte(before, ' ')+1:]) == none || end == from ||
		end < len(s.text) && strings.IndexByte("-_*", s.text[end]) >= 0 ||
		!isSecretValue(strong, s.text[from:end], false, holder{sign: ':', spaced: true, after: s.text[end:]}) {
		return at + 1
	}
	return s.cut(from, end, ruleAnnounced)
}

// announced returns how surely a name announces a secret at this place.
func (s announcements) announced(name string, at, size int) strength {
	certain := announces(name)
	if certain == none {
		if isPairValue(name) && s.pairAnnounces(at, size) {
			return strong
		}
		return none
	}
	if certain == strong && s.text[at] == ':' && isParserError(s.text, at, name) {
		return weak
	}
	return certain
}

// isParserError reports whether a message is about a token of a language: Unexpected token: x.
func isParserError(text string, at int, name string) bool {
	if !strings.EqualFold(name, "token") && !strings.EqualFold(name, "tokens") {
		return false
	}
	before := strings.TrimRight(strings.TrimRight(text[max(0, at-32):at], " '\""), " ")
	if len(before) < len(name) {
		return false
	}
	before = strings.TrimRight(before[:len(before)-len(name)], " ")
	if cut := strings.LastIndexAny(before, " \n:(="); cut >= 0 {
		before = before[cut+1:]
	}
	switch strings.ToLower(before) {
	case "unexpected", "invalid", "illegal", "unknown", "expected", "bad", "unrecognized", "next", "syntax", "parse":
		return true
	}
	return false
}

// secretAfter cuts the value after a name, and returns where the search continues, or 0 if there is no secret.
func (s announcements) secretAfter(name string, st strength, at, size int) int {
	v := findValue(s.text, at+size, st == strong)
	switch {
	case v.quoted || v.structure:
	case isHeader(name):
		v.to = lineEnd(s.text, v.from)
	case !announcesMore(s.text, v.from):
		v.to = bareEnd(s.text, v.from)
	}
	if v.to <= v.from {
		return 0
	}
	value := s.text[v.from:v.to]
	h := holder{name: name, sign: s.text[at], spaced: v.spaced, after: s.text[v.to:min(len(s.text), v.to+64)]}
	switch {
	case v.structure:
		if st != strong {
			return 0
		}
		return s.structure(v)
	case v.quoted:
		if !isSecretValue(st, value, true, h) {
			return 0
		}
	case isHeader(name):
		return s.header(v)
	default:
		if next := schemeEnd(s.text, v.from); next > 0 {
			return s.credentials(next)
		}
		if !isSecretValue(st, value, false, h) {
			return 0
		}
	}
	return s.cut(v.from, v.to, ruleAnnounced)
}

// isHeader reports whether a name is a header whose value may have blanks.
func isHeader(name string) bool {
	switch {
	case len(name) < 6:
		return false
	case strings.EqualFold(name[len(name)-6:], "cookie"):
		return true
	}
	return len(name) >= 13 && strings.EqualFold(name[len(name)-13:], "authorization")
}

// header cuts the value of a header to the end of the line or the closing quote.
func (s announcements) header(v value) int {
	end := v.to
	line := s.text[v.from:end]
	first, rest, _ := strings.Cut(line, " ")
	if isMasked(line) || isPlaceholder(first) || isMasked(first) {
		return 0
	}
	if rest == "" && isHarmlessBare(first, holder{name: "authorization", sign: ':', after: s.text[end:]}) {
		return 0
	}
	if isProse(strings.ToLower(line)) && !looksRandom(first) {
		return 0
	}
	if !hasDigit(line) && isLetters(first) && isLetters(strings.ReplaceAll(rest, " ", "")) &&
		!schemes[strings.ToLower(first)] && (len(first) < 8 || !hasMixedCase(first[1:])) {
		return 0 // prose
	}
	if !schemes[strings.ToLower(first)] && (harmlessValues[strings.ToLower(first)] ||
		isReference(first, "authorization")) {
		return 0
	}
	return s.cut(v.from, end, ruleAnnounced)
}

// credentials cuts the token after a scheme such as Bearer.
func (s announcements) credentials(at int) int {
	for next := schemeEnd(s.text, at); next > 0; next = schemeEnd(s.text, at) {
		at = next
	}
	end := bareEnd(s.text, at)
	if end == at ||
		!isSecretValue(strong, s.text[at:end], false, holder{sign: ':', spaced: true, after: s.text[end:]}) {
		return 0
	}
	return s.cut(at, end, ruleAnnounced)
}

// schemeEnd returns the position after a scheme and a blank, or 0.
func schemeEnd(text string, at int) int {
	end := at
	for end < len(text) && end-at < 20 && (isAlnum(text[end]) || text[end] == '-') {
		end++
	}
	if end == at || end+1 >= len(text) || text[end] != ' ' || !schemes[strings.ToLower(text[at:end])] {
		return 0
	}
	return end + 1
}

// announcesMore reports whether a bare value is a name that announces another value: credentials: api_key: x.
func announcesMore(text string, from int) bool {
	end := from
	for end < len(text) && end-from < longestName && (isAlnum(text[end]) || text[end] == '_' || text[end] == '-') {
		end++
	}
	if end == from || end+1 >= len(text) || (text[end] != ':' && text[end] != '=') || text[end+1] == text[end] {
		return false
	}
	return announces(text[from:end]) != none
}

// structure cuts the texts of a list, a tuple or a map whose name announces secrets. They may be numbers too.
func (s announcements) structure(v value) int {
	inner := strings.TrimSpace(s.text[v.from:v.to])
	if isMasked(inner) || !strings.ContainsAny(inner, "'\"0123456789") {
		return 0
	}
	return s.cut(v.from, v.to, ruleAnnounced)
}

// element handles the end of an XML tag: <password>x</password>.
func (s announcements) element(at int) int {
	begin := at
	for begin > 0 && at-begin < 128 && s.text[begin-1] != '<' && s.text[begin-1] != '>' && s.text[begin-1] != '\n' {
		begin--
	}
	if begin == 0 || s.text[begin-1] != '<' {
		return at + 1
	}
	name, _, _ := strings.Cut(s.text[begin:at], " ")
	if colon := strings.LastIndexByte(name, ':'); colon >= 0 {
		name = name[colon+1:]
	}
	st := announces(name)
	if st == none && pairName(s.text[begin:at]) {
		st = strong // <property name="password">x</property>
	}
	if st == none || name == "" || name[0] == '/' || s.text[at-1] == '/' {
		return at + 1
	}
	from := at + 1
	if strings.HasPrefix(s.text[from:], "<![CDATA[") {
		from += len("<![CDATA[")
	}
	n := strings.IndexByte(s.text[from:min(len(s.text), from+4096)], '<')
	if n <= 0 || !strings.HasPrefix(s.text[from+n:], "</") {
		return at + 1
	}
	end := from + n
	value := strings.TrimSuffix(s.text[from:end], "]]>")
	if trimmed := strings.TrimSpace(value); trimmed == "" ||
		!isSecretValue(st, trimmed, true, holder{name: name, sign: '>'}) {
		return at + 1
	}
	return s.cut(from, from+len(value), ruleAnnounced)
}
