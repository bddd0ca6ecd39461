// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// looksRandom reports whether a value is like a generated key rather than a word, a number, an ID or a time.
func looksRandom(value string) bool {
	const shortest, longest = 8, 4096
	if len(value) < shortest || len(value) > longest || isUUID(value) {
		return false
	}
	begin := 0
	for i := 0; i <= len(value); i++ {
		if i < len(value) && isAlnum(value[i]) {
			continue
		}
		if i-begin >= shortest && isRandomRun(value[begin:i]) {
			return true
		}
		if i < len(value) && (value[i] == ' ' || value[i] >= 0x80) {
			return false
		}
		begin = i + 1
	}
	return false
}

// isRandomRun reports whether letters and digits alternate more often than in words with numbers.
func isRandomRun(run string) bool {
	digits, upper, lower, changes := 0, 0, 0, 0
	for i := range len(run) {
		switch c := run[i]; {
		case isDigit(c):
			digits++
		case isUpper(c):
			upper++
		default:
			lower++
		}
		if i > 0 && kindOf(run[i]) != kindOf(run[i-1]) {
			changes++
		}
	}
	switch letters := upper + lower; {
	case letters < 2:
		return false
	case digits >= 2 && changes >= 4, digits >= 1 && changes >= 3 && changes*4 >= len(run):
		return true
	case digits >= 2 && lower == 0:
		return len(run) >= 16
	}
	return len(run) >= 20 && changes*3 >= len(run)
}

func kindOf(c byte) byte {
	switch {
	case isDigit(c):
		return 'd'
	case isUpper(c):
		return 'u'
	}
	return 'l'
}

func isUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	for i := range len(s) {
		if !isHexDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

func hasMixedCase(s string) bool {
	upper, lower := false, false
	for i := range len(s) {
		upper, lower = upper || isUpper(s[i]), lower || isLower(s[i])
	}
	return upper && lower
}

func isLetters(s string) bool {
	for i := range len(s) {
		if !isUpper(s[i]) && !isLower(s[i]) && s[i] != '-' && s[i] != '\'' && s[i] != '_' {
			return false
		}
	}
	return true
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '_' {
			return false
		}
	}
	return true
}

// isName reports whether a text consists of identifiers that are separated by dots. An empty text does.
func isName(s string) bool { return isIdentifier(strings.ReplaceAll(s, ".", "")) }

func isAlnum(c byte) bool { return isDigit(c) || isLower(c) || isUpper(c) }

func isHexDigit(c byte) bool { return isDigit(c) || ('a' <= c|0x20 && c|0x20 <= 'f') }
