// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"encoding/json"
	"strings"
)

// scan reads an object of plain members, as nearly all are, at a fraction of what encoding/json costs for each row. It
// answers false, and changes nothing, where there is more to it: the decoder then says what it is.
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

// set takes over a member of which it is sure.
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
	default: // the decoder knows a key in capitals too
		return (quoted || isPlainNumber(value)) && key == strings.ToLower(key)
	}
}

// scanScalar takes a string without anything escaped, or a number, and the blanks around it. What is neither is empty
// and not quoted.
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

// isPlainNumber knows JSON's numbers without an exponent.
func isPlainNumber(text string) bool {
	whole, fraction, hasFraction := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	return isDigits(whole) && (whole == "0" || whole[0] != '0') && (!hasFraction || isDigits(fraction))
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
