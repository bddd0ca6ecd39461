// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import "strings"

// trigger is a byte on which secrets of a kind hang. Most bytes are none, so that one pass over a text asks all questions.
type trigger uint8

const (
	noTrigger  trigger = iota
	dash               // a key's prefix ends in it, or a PEM block's first line
	underscore         // a key's prefix ends in it
	colon              // a value follows, or //user:password@
	equals             // a value follows
	bearer             // Bearer begins with it
	webToken           // the third letter of eyJ
	googleKey          // the third letter of AIza
	bracket            // [parameters: begins with it
	triggers
)

var triggerOf = [256]trigger{
	'-': dash, '_': underscore, ':': colon, '=': equals, 'B': bearer, 'b': bearer, 'J': webToken, 'z': googleKey, '[': bracket,
}

// findSecrets is linear in the text, also in one that is made to break it: what a kind has cut is not looked at again by that
// kind, and what is not is looked at for a bounded length.
func findSecrets(cuts []cut, text string) []cut {
	var done [triggers]int // by kind, where its last cut or look ended
	for at := range len(text) {
		kind := triggerOf[text[at]]
		if kind == noTrigger || at < done[kind] {
			continue
		}
		c, next := look(kind, text, at)
		if next > at {
			done[kind] = next
		}
		if c.to > c.from {
			cuts = append(cuts, c)
		}
	}
	return cuts
}

// look says what is cut at a trigger, and where that kind goes on; 0 means at the next byte.
func look(kind trigger, text string, at int) (cut, int) {
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
