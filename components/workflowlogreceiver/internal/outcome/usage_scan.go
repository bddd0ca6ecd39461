// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"encoding/json"
	"strings"
)

// scan reads an object whose members are all scalars, as nearly all are, at a fraction of the cost of encoding/json
// per row. For anything else it returns false and changes nothing; the caller then uses encoding/json.
func (u *nodeUsage) scan(text string) bool {
	var found nodeUsage
	rest, more := strings.CutPrefix(text, "{")
	for more {
		var key, value string
		var quoted bool
		if key, quoted, rest = scanScalar(rest); !quoted {
			return false
		}
		if rest, more = strings.CutPrefix(rest, ":"); !more {
			return false
		}
		if value, quoted, rest = scanScalar(rest); !found.set(key, value, quoted) {
			return false
		}
		rest, more = strings.CutPrefix(rest, ",")
	}
	if rest != "}" {
		return false
	}
	*u = found
	return true
}

// set sets one member. It returns false for a member that it cannot handle exactly as encoding/json would.
func (u *nodeUsage) set(key, value string, quoted bool) bool {
	switch key {
	case "total_tokens":
		u.TotalTokens = json.Number(value)
		return isPlainNumber(value)
	case "total_price":
		u.TotalPrice = json.Number(value)
		return isPlainNumber(value)
	case "currency":
		u.Currency = value
		return quoted
	case "tool_info":
		return false
	default: // encoding/json matches keys regardless of case
		return (quoted || isPlainNumber(value)) && key == strings.ToLower(key)
	}
}

// scanScalar splits off a string without escapes, or a number, with the blanks around it. For anything else it returns
// an empty, unquoted value.
func scanScalar(text string) (value string, quoted bool, rest string) {
	text = strings.TrimLeft(text, " ")
	if text, quoted = strings.CutPrefix(text, `"`); !quoted {
		end := len(text) - len(strings.TrimLeft(text, "-.0123456789"))
		return text[:end], false, strings.TrimLeft(text[end:], " ")
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			return text[:i], true, strings.TrimLeft(text[i+1:], " ")
		case c < ' ' || c > '~' || c == '\\':
			return "", false, ""
		}
	}
	return "", false, ""
}

// isPlainNumber reports whether the text is a JSON number without an exponent.
func isPlainNumber(text string) bool {
	whole, fraction, hasFraction := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	return isDigits(whole) && (whole == "0" || whole[0] != '0') && (!hasFraction || isDigits(fraction))
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
