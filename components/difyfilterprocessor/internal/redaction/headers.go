// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"encoding/base64"
	"strings"
)

// bearer cuts the token after the words Bearer and Basic.
func (s *scanner) bearer(at int) int {
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
		end := tokenEnd(s.text, start)
		if start == after || end-start < shortest || s.text[start:end] == Mask {
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

// option handles an option of a command: --password x, mysql -px, curl -u user:x. It also finds private keys, whose
// lines begin with dashes.
func (s *scanner) option(at int) int {
	if strings.HasPrefix(s.text[at:], "-----") {
		return s.privateKey(at)
	}
	if at > 0 && !isBlank(s.text[at-1]) && strings.IndexByte("'\"`([", s.text[at-1]) < 0 {
		return at
	}
	if strings.HasPrefix(s.text[at:], "--") {
		return s.longOption(at)
	}
	return s.shortOption(at)
}

func (s *scanner) longOption(at int) int {
	end := at + 2
	for end < len(s.text) && end-at < longestName && (isAlnum(s.text[end]) || s.text[end] == '-' ||
		s.text[end] == '_') {
		end++
	}
	name := s.text[at+2 : end]
	from := end
	for from < len(s.text) && s.text[from] == ' ' {
		from++
	}
	if from == end || from == len(s.text) {
		return at
	}
	if name == "user" || name == "proxy-user" {
		return s.login(at, from)
	}
	if announces(name) != strong || s.text[from] == '-' {
		return at
	}
	next := s.secretAfter(name, strong, at, from-at)
	return max(at, next)
}

// passwordOptions are the commands with a short option for a password.
var passwordOptions = []struct {
	command, option string
	login           bool
}{
	{"mysql", "-p", false},
	{"mariadb", "-p", false},
	{"sshpass", "-p", false},
	{"redis-cli", "-a", false},
	{"docker login", "-p", false},
	{"mongo", "-p", false},
	{"curl", "-u", true},
	{"wget", "-u", true},
	{"ldapsearch", "-w", false},
	{"smbclient", "-U", true},
	{"zip", "-P", false},
	{"helm", "-p", false},
	{"skopeo", "-p", false},
	{"az login", "-p", false},
	{"rabbitmqadmin", "-p", false},
	{"http", "-a", true},
}

func (s *scanner) shortOption(at int) int {
	const near = 200
	if at+2 >= len(s.text) || !isAlnum(s.text[at+1]) {
		return at
	}
	line := s.text[max(0, at-near):at]
	if n := strings.LastIndexByte(line, '\n'); n >= 0 {
		line = line[n+1:]
	}
	for _, p := range passwordOptions {
		if s.text[at:at+2] != p.option || !strings.Contains(line, p.command) {
			continue
		}
		from := at + 2
		for from < len(s.text) && (isBlank(s.text[from]) || s.text[from] == '\'' || s.text[from] == '"' ||
			s.text[from] == ',') && from-at < 8 {
			from++
		}
		if p.login {
			return s.login(at, from)
		}
		if end := bareEnd(s.text, from); end > from && s.text[from] != '-' && !isPlaceholder(s.text[from:end]) {
			return s.cut(from, end, ruleAnnounced)
		}
	}
	return at
}

// login cuts the password of user:password.
func (s *scanner) login(at, from int) int {
	if from < len(s.text) && (s.text[from] == '"' || s.text[from] == '\'') {
		from++
	}
	end := bareEnd(s.text, from)
	colon := strings.IndexByte(s.text[from:end], ':')
	if colon < 0 || colon+1 == end-from || isPlaceholder(s.text[from+colon+1:end]) {
		return at
	}
	return s.cut(from+colon+1, end, ruleAnnounced)
}

// privateKey cuts the content of a PEM block whose first line begins or ends here, or, if that is missing, the lines
// before its last line.
func (s *scanner) privateKey(at int) int {
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
func (s *scanner) botToken(at int) int {
	if at < 5 || at+35 > len(s.text) || s.text[at+1] != 'A' || !isDigit(s.text[at-1]) || !s.shapes {
		return 0
	}
	if end := alphabetEnd(s.text, at+1, base64url); end-at-1 >= 33 && end-at-1 <= 40 {
		return s.cut(at+1, end, ruleShape)
	}
	return 0
}

// sqlParameters cuts the values that SQLAlchemy writes below a failed statement.
func (s *scanner) sqlParameters(at int) int {
	const opening = "[parameters: "
	if !strings.HasPrefix(s.text[at:], opening) {
		return at
	}
	from := at + len(opening)
	end := bracketEnd(s.text, at)
	if end == from || s.text[end-1] != ']' {
		return s.cut(from, end, ruleAnnounced)
	}
	s.cut(from, end-1, ruleAnnounced)
	return end
}
