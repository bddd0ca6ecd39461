// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// trigger is a byte that every secret of a kind contains. Most bytes are not triggers, so that one pass over a text
// finds secrets of all kinds.
type trigger uint8

const (
	noTrigger  trigger = iota
	dash               // ends the prefix of a key, or the first line of a PEM block
	underscore         // ends the prefix of a key
	colon              // precedes a value, or //user:password@
	equals             // precedes a value
	bearer             // first character of Bearer
	webToken           // third character of eyJ
	googleKey          // third character of AIza
	bracket            // first character of [parameters:
	triggers
)

var triggerOf = [256]trigger{
	'-': dash, '_': underscore, ':': colon, '=': equals, 'B': bearer, 'b': bearer, 'J': webToken, 'z': googleKey,
	'[': bracket,
}

// findSecrets appends the secrets in a text to cuts. It is linear in the length of any text: each kind skips what it
// has already cut, and reads only a bounded length otherwise.
func findSecrets(cuts []cut, text string) []cut {
	var done [triggers]int // by kind, where its last cut or search ended
	for at := range len(text) {
		kind := triggerOf[text[at]]
		if kind == noTrigger || at < done[kind] {
			continue
		}
		c, next := find(kind, text, at)
		if next > at {
			done[kind] = next
		}
		if c.to > c.from {
			cuts = append(cuts, c)
		}
	}
	return cuts
}

// find returns the secret at a trigger, if any, and where the search for its kind continues; 0 is the next byte.
func find(kind trigger, text string, at int) (cut, int) {
	switch kind {
	case dash, underscore:
		if at == 0 {
			return cut{}, 0
		}
		if kind == dash && text[at-1] == 'Y' {
			return privateKeyAt(text, at)
		}
		return tokenAt(text, at)
	case colon:
		if strings.HasPrefix(text[at+1:], "//") {
			return userInfo(text, at+3)
		}
		return assignmentAt(text, at)
	case equals:
		return assignmentAt(text, at)
	case bearer:
		return bearerAt(text, at)
	case webToken:
		return webTokenAt(text, at-2)
	case googleKey:
		return googleKeyAt(text, at-2)
	case bracket:
		return parametersAt(text, at)
	}
	return cut{}, 0
}
