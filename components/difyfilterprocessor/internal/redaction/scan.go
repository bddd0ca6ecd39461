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
	hash, open := uint32(0), 0 // before open, no key may begin
	for at := 0; at < len(s.text); {
		c := s.text[at]
		hash = nextHash(hash, c)
		if s.shapes && knownShapes.may(hash) && at-open >= prefixBytes-1 {
			if from, to := knownShapes.find(s.text, at-prefixBytes+1); to > 0 {
				at, hash = s.cut(from, to, ruleShape), 0
				open = at
				continue
			}
		}
		if triggers[c] {
			if next := s.look(at); next > at+1 {
				at, hash = next, 0
				open = at
				continue
			}
		}
		at++
	}
}

// triggers are the bytes at which look may find something.
var triggers = func() (set [256]bool) {
	for _, c := range []byte(":=>,-[@?BbJ(L.'/\xef\xe6\xe4%") {
		set[c] = true
	}
	return set
}()

// look handles a trigger, and returns where the search continues.
func (s scanner) look(at int) int {
	switch s.text[at] {
	case ':', '=':
		return s.sign(at)
	case '\xef', '\xe6', '\xe4':
		if size := wideSign(s.text[at:]); size > 0 {
			return announcements{s.scan}.assignment(at, size)
		}
	case ',':
		if at > 0 && strings.IndexByte("'\"", s.text[at-1]) >= 0 {
			return announcements{s.scan}.tuple(at)
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
				return addresses{s.scan}.userInfo(at + len(slashes))
			}
		}
		next := keys{s.scan}.botToken(at)
		if next > 0 {
			return next
		}
	}
	if s.content {
		next := quotes{s.scan}.databaseValue(at)
		if next > at {
			return next
		}
	}
	return announcements{s.scan}.assignment(at, 1)
}

func (s scanner) lookForSecret(at int) int {
	switch s.text[at] {
	case '>':
		return announcements{s.scan}.element(at)
	case '-':
		return options{s.scan}.option(at)
	case '[':
		return quotes{s.scan}.sqlParameters(at)
	case '@':
		return addresses{s.scan}.tcpAddress(at)
	case 'B', 'b':
		return announcements{s.scan}.bearer(at)
	case 'J':
		if s.shapes && at >= 2 && s.text[at-2:at] == "ey" {
			return keys{s.scan}.webToken(at - 2)
		}
	case '.':
		if s.shapes {
			return keys{s.scan}.dottedKey(at)
		}
	case '/':
		return addresses{s.scan}.capability(at)
	}
	return at
}

func (s scanner) lookForContent(at int) int {
	switch s.text[at] {
	case '[':
		return quotes{s.scan}.statement(at)
	case '(', '\'':
		return quotes{s.scan}.databaseValue(at)
	case 'L':
		return quotes{s.scan}.statementLine(at)
	case '?':
		if s.set.URLQueries {
			return addresses{s.scan}.query(at)
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
