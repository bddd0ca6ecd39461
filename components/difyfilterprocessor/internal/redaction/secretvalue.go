// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// The functions of this file decide whether what follows a secret's name is a secret, or code, prose or a placeholder.

// harmlessValues follow a secret's name in code, in schemas and in messages.
var harmlessValues = words("none null nil undefined nan true false yes no on off str string int integer float double " +
	"number bool boolean bytes object dict list array tuple set map any optional secretstr secretbytes text uuid " +
	"date " +
	"datetime password-input secret-input text-input select file missing required invalid expired revoked empty " +
	"unset " +
	"not is must was has are should cannot can may will and or of for in the a an to with from by on at if else " +
	"type " +
	"value values field name unknown unauthorized forbidden denied failed failure error ok success valid " +
	"authentication " +
	"authorization authenticated redacted filtered masked hidden removed secret_str default changed updated " +
	"deleted " +
	"rotated created enabled disabled present absent set provided given found this that it be been no_auth " +
	"noauth n/a " +
	"api-key api_key apikey basic bearer token custom header query body oauth oauth2 jwt hmac sha256 rs256 hs256 " +
	"private public internal external builtin plugin session user admin_only lowercase uppercase plain plaintext " +
	"encrypted hashed bcrypt argon2 required. invalid. expired. return raise await async yield lambda self cls import")

// proseWords occur in sentences about secrets. A pass phrase does not contain them.
var proseWords = words("is are was the not must required invalid this field has have be been a an expired missing " +
	"please " +
	"cannot should your our no for was wrong incorrect provided found set to of header")

// schemes precede a token in the value of Authorization.
var schemes = words("bearer basic token digest apikey api-key negotiate aws4-hmac-sha256 key hmac oauth ntlm hawk jwt")

// holder has what surrounds a value.
type holder struct {
	name   string
	sign   byte   // the sign between name and value
	spaced bool   // a blank precedes the value
	after  string // the text after the value
}

// isSecretValue reports whether a value is a secret, given how surely its name announces one.
func isSecretValue(s strength, value string, quoted bool, h holder) bool {
	const long = 256 // longer than code, prose or a placeholder
	if len(value) >= long {
		return true
	}
	if isMasked(value) || isPlaceholder(value) {
		return false
	}
	switch s {
	case strong:
		if quoted {
			return !isHarmlessQuoted(value, h)
		}
		return !isHarmlessBare(value, h)
	case numbers:
		return len(value) >= 3 && hasDigit(value) && !strings.ContainsAny(value, " .:/") || looksRandom(value)
	case weak:
		return looksRandom(value)
	}
	return false
}

// isMasked reports whether a value has no letter or digit, or is what other programs write for a secret.
func isMasked(value string) bool {
	if value == "" || strings.Contains(value, Mask) {
		return !hasContentAround(value)
	}
	for i := range len(value) {
		if isAlnum(value[i]) || value[i] >= 0x80 {
			switch strings.ToLower(strings.Trim(value, "[]<>(){}*. ")) {
			case "redacted", "filtered", "masked", "hidden", "removed", "secret", "truncated":
				return true
			}
			return strings.Trim(value, "xX*•.") == "" && len(value) > 2
		}
	}
	return len(value) < 6 || strings.Trim(value, value[:1]) == ""
}

// hasContentAround reports whether there is more than a scheme or a prefix of a key around a mask.
func hasContentAround(value string) bool {
	rest := strings.ReplaceAll(value, Mask, "")
	return len(strings.TrimLeft(rest, " ")) > len("Bearer ")+8 && looksRandom(rest)
}

func isHarmlessQuoted(value string, h holder) bool {
	lower := strings.ToLower(strings.TrimSpace(value))
	return harmlessValues[lower] || isProse(lower) && !hasRandomWord(value) || isReference(value, h.name) ||
		isSecretFile(value)
}

func isHarmlessBare(value string, h holder) bool {
	trimmed := strings.TrimRight(value, ".:|,;!?)]}")
	if trimmed == "" || harmlessValues[strings.ToLower(trimmed)] || isChineseWord(trimmed) || isExample(trimmed) {
		return true
	}
	if isReference(trimmed, h.name) || isCode(value, h.after) || isSecretFile(trimmed) || isType(trimmed) {
		return true
	}
	if strings.IndexByte("{[(<", value[0]) >= 0 {
		return !hasDigit(value) && !strings.ContainsAny(value, "@#!$%^&*") && !hasMixedCase(value[1:])
	}
	if isLetters(trimmed) && (h.sign == ':' || h.spaced) {
		return continuesAsProse(h.after)
	}
	if strings.Trim(trimmed, "0123456789") == "" && len(trimmed) < 6 && announcesToken(h.name) {
		return true // token: 42
	}
	return false
}

// isChineseWord reports whether a value has no letter, digit or sign of ASCII: a password rather has.
func isChineseWord(value string) bool {
	for i := range len(value) {
		if value[i] < 0x80 {
			return false
		}
	}
	return len(value) < 30
}

// isExample reports whether a value is what documentation has for a secret: your-api-key.
func isExample(value string) bool {
	return len(value) > 5 && strings.EqualFold(value[:4], "your") && !hasDigit(value) &&
		strings.IndexByte("-_", value[4]) >= 0
}

func announcesToken(name string) bool {
	return len(name) >= 5 && strings.EqualFold(name[len(name)-5:], "token")
}

// continuesAsProse reports whether a text goes on with a blank and a word that is not a name before a sign.
func continuesAsProse(after string) bool {
	if len(after) < 2 || after[0] != ' ' {
		return false
	}
	end := 1
	for end < len(after) && (isAlnum(after[end]) || after[end] == '_' || after[end] == '-') {
		end++
	}
	return end > 1 && isLetters(after[1:end]) && (end == len(after) || (after[end] != '=' && after[end] != ':'))
}

// isProse reports whether a text is a sentence.
func isProse(lower string) bool {
	n, known := 0, false
	for word := range strings.FieldsSeq(lower) {
		n++
		known = known || proseWords[strings.Trim(word, ".,:;!")]
	}
	return n >= 3 && known
}

// hasRandomWord reports whether a word of a sentence is no word.
func hasRandomWord(text string) bool {
	for word := range strings.FieldsSeq(text) {
		if looksRandom(strings.Trim(word, ".,:;!'\"()")) {
			return true
		}
	}
	return false
}

// isReference reports whether a value is the name of a variable or a field: api_key=api_key, token: Token.
func isReference(value, name string) bool {
	if strings.EqualFold(value, name) {
		return true
	}
	if hasDigit(value) || !isName(value) {
		return false
	}
	first, last := value, value
	if before, _, ok := strings.Cut(value, "."); ok {
		first, last = before, value[strings.LastIndexByte(value, '.')+1:]
	}
	if announces(last) == strong && (last != value || strings.Contains(value, "_") || len(value) < 24) {
		return true
	}
	switch first {
	case "self", "cls", "os", "settings", "config", "dify_config", "request", "app", "args", "kwargs", "provider", "ctx":
		return first != value
	}
	return false
}

// isSecretFile reports whether a value is the path of a file.
func isSecretFile(value string) bool {
	if value[0] != '/' && value[0] != '.' && value[0] != '~' {
		return false
	}
	for _, suffix := range [...]string{".json", ".pem", ".key", ".crt", ".txt", ".env", ".yaml", ".yml", ".p12", ".py"} {
		if strings.HasSuffix(value, suffix) {
			return true
		}
	}
	return strings.HasPrefix(value, "/run/secrets/") || strings.HasPrefix(value, "/var/run/secrets/")
}

// isType reports whether a value is a type with a parameter, as in Optional[str], or the name of a class.
func isType(value string) bool {
	name, parameter, generic := strings.Cut(value, "[")
	if generic {
		return isName(name) && name != "" && !hasDigit(parameter) && isUpperOrKnown(name)
	}
	return isUpper(value[0]) && isLetters(value) && hasMixedCase(value) && announces(value) != none
}

func isUpperOrKnown(name string) bool { return isUpper(name[0]) || harmlessValues[name] }

// isPlaceholder reports whether a value stands for another one: a parameter of a statement, a variable.
func isPlaceholder(value string) bool {
	switch {
	case value == "?":
		return true
	case strings.HasPrefix(value, "%(") || strings.HasPrefix(value, "{{") || value == "%s" || value == "{}":
		return true
	case strings.HasPrefix(value, "${") || strings.HasPrefix(value, "$("):
		return !looksRandom(value) && isIdentifier(strings.NewReplacer(":", "", "-", "", ".", "", " ", "").Replace(
			strings.TrimRight(value[2:], "})")))
	case value[0] == '{' && value[len(value)-1] == '}' || value[0] == '<' && value[len(value)-1] == '>':
		return isIdentifier(strings.Map(spacesToUnderscore, value[1:len(value)-1])) && !hasDigit(value)
	case value[0] == ':' && len(value) > 1 && value[1] != ':':
		return isIdentifier(value[1:]) && (!hasDigit(value) || announces(value[1:]) != none)
	case value[0] == '$':
		return len(value) > 1 && (strings.Trim(value[1:], "0123456789") == "" || isConstant(value[1:]) ||
			strings.ToUpper(value) == value && announces(value[1:]) == strong)
	}
	return false
}

func spacesToUnderscore(r rune) rune {
	if strings.ContainsRune(" -'.|:", r) {
		return '_'
	}
	return r
}

// isConstant reports whether a text is the name of an environment variable.
func isConstant(s string) bool {
	return isIdentifier(s) && strings.ToUpper(s) == s && strings.Contains(s, "_")
}

// isCode reports whether a value is a call or an index in a stack trace. A call must continue like one, since a
// password may contain a bracket too.
func isCode(value, after string) bool {
	name, argument, call := strings.Cut(value, "(")
	if !call {
		name, argument, call = strings.Cut(value, "[")
	}
	if !call {
		return strings.HasPrefix(value, "self.") && isName(value)
	}
	if name == "" || isDigit(name[0]) || !isName(name) {
		return false
	}
	argument = strings.Trim(argument, ")],.:'\"")
	return isName(argument) && (value[len(value)-1] == ')' || value[len(value)-1] == ']' || after == "" ||
		strings.IndexByte("),\"'`]", after[0]) >= 0) && (after != "" || value[len(value)-1] == ')')
}
