// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// options finds secrets in the options of commands.
type options struct{ *scan }

// option handles an option of a command: --password x, mysql -px, curl -u user:x. It also finds private keys, whose
// lines begin with dashes.
func (s options) option(at int) int {
	if strings.HasPrefix(s.text[at:], "-----") {
		return keys(s).privateKey(at)
	}
	if at > 0 && !isBlank(s.text[at-1]) && strings.IndexByte("'\"`([", s.text[at-1]) < 0 {
		return at
	}
	if strings.HasPrefix(s.text[at:], "--") {
		return s.longOption(at, len("--"))
	}
	if next := s.shortOption(at); next > at {
		return next
	}
	return s.longOption(at, 1)
}

// longOption handles an option of two dashes, or a word after one dash.
func (s options) longOption(at, dashes int) int {
	end := at + dashes
	for end < len(s.text) && end-at < longestName && (isAlnum(s.text[end]) || s.text[end] == '-' ||
		s.text[end] == '_') {
		end++
	}
	name := s.text[at+dashes : end]
	if dashes == 1 && !strings.HasSuffix(name, "pass") && !strings.HasSuffix(name, "password") {
		return at
	}
	from := end
	for from < len(s.text) && (s.text[from] == ' ' || s.text[from] == '=' && from == end) {
		from++
	}
	if from == end || from == len(s.text) {
		return at
	}
	if name == "user" || name == "proxy-user" {
		return s.login(at, from)
	}
	if announces(name) != strong && !strings.HasSuffix(name, "pass") || s.text[from] == '-' {
		return at
	}
	next := announcements(s).secretAfter(name, strong, at, from-at)
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

func (s options) shortOption(at int) int {
	const near = 200
	if at+2 >= len(s.text) || !isAlnum(s.text[at+1]) {
		return at
	}
	command := s.text[max(0, at-near):at] // a shell continues it on the next line after a backslash
	line := command[strings.LastIndexByte(command, '\n')+1:]
	for _, p := range passwordOptions {
		if s.text[at:at+2] != p.option || !strings.Contains(line, p.command) &&
			(!p.login || !strings.Contains(command, p.command)) {
			continue
		}
		from := at + 2
		for from < len(s.text) && (isBlank(s.text[from]) || s.text[from] == '\'' || s.text[from] == '"' ||
			s.text[from] == ',' || s.text[from] == '=') && from-at < 8 {
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

// login cuts the password of user:password, which may be quoted together or each.
func (s options) login(at, from int) int {
	if from < len(s.text) && (s.text[from] == '"' || s.text[from] == '\'') {
		from++
	}
	end := bareEnd(s.text, from)
	colon := strings.IndexByte(s.text[from:end], ':')
	if next := min(len(s.text), end+1); colon < 0 && strings.HasPrefix(s.text[next:], ":") {
		from, colon = next, 0
		if end = bareEnd(s.text, from+1); from+1 < len(s.text) && strings.IndexByte("\"'", s.text[from+1]) >= 0 {
			from++
			end = bareEnd(s.text, from+1)
		}
	}
	if colon < 0 || colon+1 >= end-from || isPlaceholder(s.text[from+colon+1:end]) {
		return at
	}
	return s.cut(from+colon+1, end, ruleAnnounced)
}
