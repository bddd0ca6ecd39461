// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// part cuts a part of a multipart body whose name announces a secret: the lines after its headers.
func (s announcements) part(at int) int {
	const longestHeaders = 256
	v := findValue(s.text, at+1, false)
	if !v.quoted || announces(s.text[v.from:v.to]) != strong {
		return at
	}
	rest := s.text[v.to:min(len(s.text), v.to+longestHeaders)]
	for _, blank := range [...]string{"\r\n\r\n", "\n\n"} {
		if n := strings.Index(rest, blank); n >= 0 && !strings.Contains(rest[:n], "--") {
			from := v.to + n + len(blank)
			end := from
			for end < len(s.text) && s.text[end] != '\r' && s.text[end] != '\n' {
				end++
			}
			return s.cut(from, end, ruleAnnounced)
		}
	}
	return at
}

// isPairValue reports whether a name is the value of a pair: {"name": "api_key", "value": "x"}.
func isPairValue(name string) bool {
	switch len(name) {
	case 1:
		return name == "v"
	case 3, 4, 5, 7, 13:
		return strings.EqualFold(name, "value") || strings.EqualFold(name, "val") ||
			strings.EqualFold(name, "default") ||
			strings.EqualFold(name, "data") || strings.EqualFold(name, "stringValue") ||
			strings.EqualFold(name, "default_value")
	case 11:
		return name == "stringValue"
	}
	return false
}

// pairAnnounces reports whether the object around a value has a name that announces a secret.
func (s announcements) pairAnnounces(at, size int) bool {
	const near = 200
	begin := max(0, at-near)
	before := s.text[begin:at]
	if typed := strings.LastIndex(before, "SegmentType.SECRET"); typed >= 0 && !strings.Contains(before[typed:], ")") {
		return true // a variable of Dify
	}
	if n := strings.LastIndexAny(before, "{(<\n"); n >= 0 {
		if before[n] == '\n' { // in YAML, the name is on the line before
			n = strings.LastIndexAny(before[:n], "{(<\n") + 1
		}
		begin += n
	}
	if pairName(s.text[begin:at]) || tagAnnounces(s.text[begin:at]) {
		return true
	}
	part := s.text[:min(len(s.text), at+2*near)]
	v := findValue(part, at+size, false)
	rest := part[max(v.from, v.to):]
	if n := strings.IndexAny(rest, "{}()<>\n"); n >= 0 {
		rest = rest[:n]
	}
	return pairName(rest)
}

// tagAnnounces reports whether the name of an XML tag announces a secret: <password value="x"/>.
func tagAnnounces(tag string) bool {
	name, attributes, ok := strings.Cut(tag, " ")
	return ok && attributes != "" && name != "" && name[0] == '<' && announces(name[1:]) == strong
}

// pairName reports whether a part of an object has a key whose value announces a secret.
func pairName(part string) bool {
	for at := strings.IndexAny(part, ":="); at >= 0; {
		switch strings.ToLower(nameBefore(part, at)) {
		case "name", "key", "variable", "header", "k", "id", "field", "env", "label":
			v := findValue(part, at+1, false)
			if v.to <= v.from {
				v.to = bareEnd(part, v.from)
			}
			if v.to > v.from && announces(part[v.from:v.to]) == strong {
				return true
			}
		}
		next := strings.IndexAny(part[at+1:], ":=")
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return false
}

// tuple handles a comma between two quoted texts: ('api-key', 'x'), ["--password", "x"].
func (s announcements) tuple(at int) int {
	next := at + 1
	for next < len(s.text) && next-at < 32 && isBlank(s.text[next]) {
		next++
	}
	for i := 0; i < 2 && next < len(s.text) && strings.IndexByte("bBuUrR", s.text[next]) >= 0; i++ {
		next++
	}
	for next < len(s.text) && s.text[next] == '\\' {
		next++
	}
	if next == len(s.text) || strings.IndexByte("'\"", s.text[next]) < 0 {
		return at + 1
	}
	name := nameBefore(s.text, at)
	if end := next + 1 + len(name); name == "" || end <= len(s.text) && strings.EqualFold(s.text[next+1:end], name) {
		return at + 1
	}
	if isTuple(s.text, at, name) {
		return s.assignment(at, 1)
	}
	if announces(name) == strong && s.set.Secrets { // a list may have a pair, or names
		if after := s.secretAfter(name, weak, at, 1); after > at {
			return after
		}
	}
	return at + 1
}

// isTuple reports whether the name before a comma is the first of a pair, or an option of a command: in a list of
// names, the name of a secret is followed by another name.
func isTuple(text string, at int, name string) bool {
	begin := at - 1
	for begin > 0 && (isBlank(text[begin]) || text[begin] == '\'' || text[begin] == '"' || text[begin] == '\\') {
		begin--
	}
	begin -= len(name)
	if begin < 0 {
		return false
	}
	for begin >= 0 && (text[begin] == '\'' || text[begin] == '"' || text[begin] == '\\') {
		begin--
	}
	if begin >= 0 && text[begin] == '-' {
		return true // an option
	}
	if begin >= 0 && strings.IndexByte("bBuU", text[begin]) >= 0 {
		begin--
	}
	return strings.HasPrefix(name, "-") || (begin >= 0 && text[begin] == '(')
}
