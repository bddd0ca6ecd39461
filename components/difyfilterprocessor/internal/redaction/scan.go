// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"cmp"
	"slices"
	"strings"
)

// Mask replaces a secret. It is never recognized as a secret itself, so that redaction is idempotent.
const Mask = "***"

// cut is a part of a text that is replaced with the mask.
type cut struct {
	from, to int
	rule     reason
}

// scan is a text that is searched, and what was found in it.
type scan struct {
	text    string
	set     *Settings
	paths   *[256][]string // of capability URLs
	content bool           // cut content that messages quote
	shapes  bool           // cut keys by their shape
	cuts    []cut
	escaped bool // the text has escapes, if nothing was cut
	// searched is the position up to which addresses.query has searched backwards.
	searched int
	// tokenRun is the end of the last word that begins like a web token.
	tokenRun int
}

// cut adds a cut and returns where the search continues.
func (s *scan) cut(from, to int, by reason) int {
	if to > from && s.text[from:to] != Mask {
		s.cuts = append(s.cuts, cut{from, to, by})
	}
	return to
}

// scanner finds the secrets and the content in a text in one pass. Each kind has a trigger: a byte that it always
// contains, or the first bytes of a key. Only there does the scanner look closer: at a bounded number of bytes, or at
// what it then cuts and skips. So it is linear in the length of any text.
type scanner struct{ *scan }

// run scans the whole text.
func (s scanner) run() {
	open := 0 // before open, no key may begin
	for at := 0; at < len(s.text); {
		of := byteRoles[s.text[at]]
		if of == 0 {
			at++
			continue
		}
		if of&anchors != 0 && s.shapes && knownShapes.may(s.text, at) {
			if from, to := knownShapes.find(s.text, at, open); to > 0 {
				at = s.cut(from, to, ruleShape)
				open = at
				continue
			}
		}
		if of&escapes != 0 && isEscape(s.text, at) {
			s.escaped = true
		}
		if of&triggers != 0 || of&initials != 0 && isInitial(s.text, at) {
			if next := s.look(at); next > at+1 {
				at = next
				open = at
				continue
			}
		}
		at++
	}
}

// byteRole is a set of what a byte may be for the scanner. Most bytes of a text have no role.
type byteRole uint8

const (
	triggers byteRole = 1 << iota // look may find something there
	initials                      // letter at which look may find something, if certain letters are next to it
	anchors                       // byte of a prefix of a shape
	escapes                       // may begin an escape
)

var byteRoles = func() (set [256]byteRole) {
	for _, c := range []byte(":=>,-[@?(.'/~|%\xef\xe6\xe4\xe2\xe3") {
		set[c] |= triggers
	}
	for _, c := range []byte("BbJLkKwW") {
		set[c] |= initials
	}
	for _, c := range []byte("\\&%\x1b") {
		set[c] |= escapes
	}
	for i := range shapeTable {
		set[shapeTable[i].prefix[shapeTable[i].anchor()]] |= anchors
	}
	return set
}()

// isInitial reports whether Bearer, Basic or LINE, the last letter of eyJ, or a letter of a name may be at a position.
func isInitial(text string, at int) bool {
	switch text[at] {
	case 'J':
		return at >= 2 && text[at-2] == 'e' && text[at-1] == 'y'
	case 'L':
		return at+1 < len(text) && text[at+1] == 'I'
	case 'k', 'K', 'w', 'W':
		return isNameInitial(text, at)
	}
	return at+1 < len(text) && (text[at+1]|0x20 == 'e' || text[at+1]|0x20 == 'a')
}

// isPlain reports whether the scanner finds nothing in a text. Most values are a word or a number, for which this is
// all that is needed.
func isPlain(text string) bool {
	for at := range len(text) {
		of := byteRoles[text[at]]
		if of != 0 && (of&(triggers|escapes) != 0 || of&initials != 0 && isInitial(text, at) ||
			of&anchors != 0 && knownShapes.may(text, at)) {
			return false
		}
	}
	return true
}

// look handles a trigger, and returns where the search continues.
func (s scanner) look(at int) int {
	switch s.text[at] {
	case ':', '=':
		return s.sign(at)
	case '\xef', '\xe6', '\xe4', '\xe2', '\xe3':
		if size := wideSign(s.text[at:]); size > 0 {
			return announcements(s).assignment(at, size)
		}
		if size := wideBracket(s.text[at:]); size > 0 && s.set.Secrets {
			return announcements(s).bracketed(at, size)
		}
	case ',':
		if at > 0 && strings.IndexByte("'\"", s.text[at-1]) >= 0 {
			return announcements(s).tuple(at)
		}
	}
	if s.set.Secrets {
		if next := s.lookForSecret(at); next > at {
			return next
		}
	}
	if s.content {
		return s.lookForContent(at)
	}
	return at
}

// sign handles a colon or an equals sign.
func (s scanner) sign(at int) int {
	if s.text[at] == ':' && s.set.Secrets {
		for _, slashes := range [...]string{"://", `:\/\/`} {
			if strings.HasPrefix(s.text[at:], slashes) {
				return addresses(s).userInfo(at + len(slashes))
			}
		}
		next := keys(s).botToken(at)
		if next > 0 {
			return next
		}
	}
	if s.content {
		next := quotes(s).databaseValue(at)
		if next > at {
			return next
		}
	}
	return announcements(s).assignment(at, 1)
}

func (s scanner) lookForSecret(at int) int {
	switch s.text[at] {
	case '>':
		return announcements(s).element(at)
	case '-':
		return options(s).option(at)
	case '[':
		return quotes(s).sqlParameters(at)
	case '@':
		return addresses(s).tcpAddress(at)
	case 'B', 'b':
		return announcements(s).bearer(at)
	case 'k', 'K', 'w', 'W':
		return announcements(s).phrase(at)
	case 'J':
		if s.shapes && at >= 2 && s.text[at-2:at] == "ey" {
			return keys(s).webToken(at - 2)
		}
	case '.':
		if s.shapes {
			return keys(s).dottedKey(at)
		}
	case '~':
		if s.shapes {
			return keys(s).azureSecret(at)
		}
	case '|', '%':
		if s.shapes {
			return keys(s).appToken(at)
		}
	case '/':
		return addresses(s).capability(at)
	}
	return at
}

func (s scanner) lookForContent(at int) int {
	switch s.text[at] {
	case '[':
		return quotes(s).statement(at)
	case '(', '\'':
		return quotes(s).databaseValue(at)
	case 'L':
		return quotes(s).statementLine(at)
	case '?':
		if s.set.URLQueries {
			return addresses(s).query(at)
		}
	}
	return at
}

// wideSign returns the length of a full-width colon or equals sign, or of the Chinese words for is, or 0.
func wideSign(text string) int {
	for _, sign := range [...]string{"：", "＝", "是", "为"} {
		if strings.HasPrefix(text, sign) {
			return len(sign)
		}
	}
	return 0
}

// apply replaces the cuts of a text with masks.
func apply(text string, cuts []cut) string {
	slices.SortFunc(cuts, func(a, b cut) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	b.Grow(len(text))
	at := 0
	for _, c := range cuts {
		if c.to <= at {
			continue // within the cut before
		}
		if c.from >= at {
			b.WriteString(text[at:c.from])
			b.WriteString(Mask)
		}
		at = c.to
	}
	b.WriteString(text[at:])
	return b.String()
}
