// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"strings"
)

// assignmentAt finds the value after a word that announces a secret, as in password=x, "api_key": "x" or
// Authorization: Basic x.
func assignmentAt(text string, at int) (cut, int) {
	word := secretWordBefore(text, at)
	if word == "" {
		return cut{}, 0
	}
	c := valueAfter(text, at+1, word)
	return c, c.to
}

// secretWords are the endings of names that announce a secret.
var secretWords = []string{
	"password", "passwd", "pwd", "passphrase", "secret", "token", "authorization", "credential", "credentials", "cookie",
	"signature", "api_key", "apikey", "api-key", "access_key", "accesskey", "access-key", "secret_key", "secretkey",
	"secret-key", "private_key", "privatekey", "private-key", "auth_key", "account_key", "accountkey", "encryption_key",
	"signing_key", "master_key", "subscription-key", "license_key", "_pass",
}

// endings has secretWords by their last two letters, which exclude most names.
var endings = func() (by [26 * 26][]string) {
	for _, word := range secretWords {
		by[ending(word)] = append(by[ending(word)], word)
	}
	return by
}()

// ending returns the index of a name in endings, or -1 if the name does not end in two letters.
func ending(name string) int {
	if len(name) < 2 {
		return -1
	}
	a, b := (name[len(name)-2]|0x20)-'a', (name[len(name)-1]|0x20)-'a'
	if a >= 26 || b >= 26 {
		return -1
	}
	return int(a)*26 + int(b)
}

// secretWord returns the secret word that a name ends in, or "".
func secretWord(name string) string {
	e := ending(name)
	if e < 0 {
		return ""
	}
	for _, word := range endings[e] {
		if len(name) >= len(word) && strings.EqualFold(name[len(name)-len(word):], word) {
			return word
		}
	}
	return ""
}

// secretWordBefore returns the secret word that ends the name before a sign, ignoring blanks, quotes and brackets:
// headers["x-api-key"] = ...
func secretWordBefore(text string, at int) string {
	end := at
	for end > 0 && strings.IndexByte(" \"'`\\])=!:", text[end-1]) >= 0 && at-end < 6 {
		end--
	}
	begin := max(0, end-20) // no word is longer
	return secretWord(text[begin:end])
}

// valueAfter finds the value that begins at or after this position.
func valueAfter(text string, at int, word string) cut {
	for at < len(text) && strings.IndexByte(" \t>=", text[at]) >= 0 {
		at++
	}
	slashes := 0
	for at+slashes < len(text) && text[at+slashes] == '\\' {
		slashes++
	}
	begin := at + slashes
	if begin < len(text) && (text[begin] == '"' || text[begin] == '\'') {
		end := quoteEnd(text, begin+1, text[begin], slashes)
		return valueCut(text, begin+1, end, false)
	}
	if word == "authorization" || word == "cookie" {
		return valueCut(text, at, lineEnd(text, at), true)
	}
	return valueCut(text, at, wordEnd(text, at), true)
}

func valueCut(text string, from, to int, bare bool) cut {
	const long = 256 // longer than any placeholder
	value := text[from:to]
	if value == "" || value == Mask ||
		(len(value) < long && (isPlaceholder(value) || (bare && (isHarmless(value) || isCode(value, text[to:]))))) {
		return cut{}
	}
	return cut{from, to}
}

// quoteEnd returns the position of the closing quote, which has no more backslashes before it than the opening quote.
// So it works in JSON, and in JSON within JSON.
func quoteEnd(text string, at int, quote byte, slashes int) int {
	before := 0
	for ; at < len(text); at++ {
		switch text[at] {
		case '\\':
			before++
			continue
		case quote:
			if before <= slashes {
				return at - before
			}
		}
		before = 0
	}
	return len(text)
}

func lineEnd(text string, at int) int {
	if n := strings.IndexAny(text[at:], "\r\n\"'`"); n >= 0 {
		return at + n
	}
	return len(text)
}

func wordEnd(text string, at int) int {
	if n := strings.IndexAny(text[at:], " \t\r\n,;&)}]\"'`"); n >= 0 {
		return at + n
	}
	return len(text)
}

// isPlaceholder reports whether a value stands for another one: a parameter of a statement, a variable.
func isPlaceholder(value string) bool {
	switch {
	case value == "?":
		return true
	case strings.HasPrefix(value, "%(") || strings.HasPrefix(value, "${"):
		return true
	case value[0] == ':' && len(value) > 1 && value[1] != ':':
		return isIdentifier(value[1:])
	case value[0] == '$':
		return len(value) > 1 && strings.Trim(value[1:], "0123456789") == ""
	}
	return false
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '_' {
			return false
		}
	}
	return true
}

// isHarmless reports whether a value is a word that follows a secret's name in code and in messages but is not a
// secret.
func isHarmless(value string) bool {
	if strings.IndexByte("{[(", value[0]) >= 0 {
		return true // a structure, whose parts are examined on their own
	}
	switch strings.ToLower(strings.TrimRight(value, ".:|")) {
	case "", "none", "null", "nil", "true", "false", "str", "string", "int", "bytes", "bool", "optional", "any",
		"missing", "required", "invalid", "expired", "empty", "not", "is", "must":
		return true
	}
	return false
}

// isCode reports whether a value is the right side of an assignment in a stack trace: a field of self, or a call. A
// call must continue like one, since a password may contain a bracket too.
func isCode(value, after string) bool {
	name, argument, call := strings.Cut(value, "(")
	if !call && !strings.HasPrefix(value, "self.") {
		return false
	}
	if call && (after == "" || strings.IndexByte("),\"'`", after[0]) < 0 || !isName(argument)) {
		return false
	}
	return name != "" && (name[0] < '0' || name[0] > '9') && isName(name)
}

// isName reports whether a text consists of identifiers that are separated by dots. An empty text does.
func isName(s string) bool { return isIdentifier(strings.ReplaceAll(s, ".", "")) }

// userInfo finds the password of a URL, or a user name that looks like a token. A password that is not encoded as it
// should be may contain a slash; what precedes the slash is then not a port.
func userInfo(text string, at int) (cut, int) {
	const long = 512 // longer than any login
	rest := text[at:min(len(text), at+long)]
	if n := strings.IndexAny(rest, " \t\r\n\"'<>`"); n >= 0 {
		rest = rest[:n]
	}
	authority := rest
	if n := strings.IndexAny(rest, "/?#"); n >= 0 {
		authority = rest[:n]
	}
	sign := strings.LastIndexByte(authority, '@')
	colon := strings.IndexByte(rest, ':')
	if sign < 0 && colon >= 0 && colon < len(authority) && authority[0] != '[' && !isPort(authority[colon+1:]) {
		sign = strings.LastIndexByte(rest, '@')
	}
	switch {
	case sign < 0:
		return cut{}, 0
	case colon >= 0 && colon < sign:
		if rest[colon+1:sign] == Mask {
			return cut{}, 0
		}
		return cut{at + colon + 1, at + sign}, at + sign
	case sign >= longName:
		return cut{at, at + sign}, at + sign
	}
	return cut{}, 0
}

// longName is the minimum length of a user name without a password that counts as a token.
const longName = 16

func isPort(s string) bool { return strings.Trim(s, "0123456789") == "" }
