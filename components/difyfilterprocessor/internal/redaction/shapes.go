// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"cmp"
	"slices"
	"strings"
)

// alphabet is a set of characters of a key.
type alphabet uint8

const (
	alnum        alphabet = iota // A-Z a-z 0-9
	hexDigits                    // 0-9 a-f A-F
	upperDigits                  // A-Z 0-9
	word                         // alnum _
	base64url                    // alnum - _
	base64urlPad                 // alnum - _ =
	base64std                    // alnum + / =
	base64word                   // alnum + / = _
	dotted                       // alnum - _ . =
	slashed                      // alnum - _ /
	urlEncoded                   // alnum %
	upperDash                    // A-Z 0-9 -
	dottedStd                    // alnum - _ . = + /
	tilde                        // alnum - _ . ~
	alphabets
)

// inAlphabet has, for each character, a bit for each alphabet.
var inAlphabet = func() (set [256]uint16) {
	for a, more := range [alphabets]string{
		word: "_", base64url: "-_", base64urlPad: "-_=", base64std: "+/=", base64word: "+/=_", dotted: "-_.=",
		slashed: "-_/", urlEncoded: "%", upperDash: "-", dottedStd: "-_.=+/", tilde: "-_.~",
	} {
		for c := range set {
			b := byte(c)
			in := isAlnum(b) || strings.IndexByte(more, b) >= 0
			switch alphabet(a) {
			case hexDigits:
				in = isHexDigit(b)
			case upperDigits:
				in = isDigit(b) || isUpper(b)
			case upperDash:
				in = isDigit(b) || isUpper(b) || b == '-'
			}
			if in {
				set[c] |= 1 << a
			}
		}
	}
	return set
}()

// Keys are found by their anchor, a byte of their prefix that is rare in texts, and the two bytes before it: at each
// byte that is an anchor, one look at a bit that depends on the three bytes excludes nearly all texts, however many
// prefixes there are.
const (
	anchorBytes = 3
	hashBits    = 15 // 5 for each byte
)

type shapeIndex struct {
	bits   [1 << hashBits / 64]uint64
	shapes map[[anchorBytes]byte][]anchored // the longest prefix first
}

// anchored is a shape with the position of its anchor.
type anchored struct {
	*shape
	at int
}

var knownShapes = newShapeIndex(shapeTable)

func newShapeIndex(table []shape) *shapeIndex {
	x := &shapeIndex{shapes: map[[anchorBytes]byte][]anchored{}}
	for i := range table {
		s := anchored{&table[i], table[i].anchor()}
		if s.at >= anchorBytes-1 {
			x.add([anchorBytes]byte([]byte(s.prefix[s.at-anchorBytes+1:])), s)
			continue
		}
		for c := range len(inAlphabet) { // a prefix of two bytes, and each byte before it
			x.add([anchorBytes]byte{byte(c), s.prefix[0], s.prefix[1]}, s)
		}
	}
	for _, shapes := range x.shapes {
		slices.SortStableFunc(shapes, func(a, b anchored) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	}
	return x
}

// anchor returns the position in the prefix of a shape at which the scanner looks for the shape. It has two bytes
// before it, unless the prefix is shorter.
func (s *shape) anchor() int {
	for _, rare := range [...]string{"-_.~/", "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"} {
		for at := anchorBytes - 1; at < len(s.prefix); at++ {
			if strings.IndexByte(rare, s.prefix[at]) >= 0 {
				return at
			}
		}
	}
	return min(anchorBytes, len(s.prefix)) - 1
}

func (x *shapeIndex) add(at [anchorBytes]byte, s anchored) {
	hash := hashOf(at[0], at[1], at[2])
	x.bits[hash/64] |= 1 << (hash % 64)
	x.shapes[at] = append(x.shapes[at], s)
}

func hashOf(first, second, third byte) uint32 {
	return (uint32(first)<<10 ^ uint32(second)<<5 ^ uint32(third)) & (1<<hashBits - 1)
}

// near returns the bytes before a position and the one there.
func near(text string, at int) (of [anchorBytes]byte) {
	for i := range min(at+1, anchorBytes) {
		of[anchorBytes-1-i] = text[at-i]
	}
	return of
}

// may reports whether the anchor of a shape may be at a position.
func (x *shapeIndex) may(text string, at int) bool {
	if at < anchorBytes-1 {
		return true
	}
	hash := hashOf(text[at-2], text[at-1], text[at])
	return x.bits[hash/64]&(1<<(hash%64)) != 0
}

// find returns the key whose anchor is at a position, without its prefix. The prefix does not begin before open.
func (x *shapeIndex) find(text string, at, open int) (from, to int) {
	for _, s := range x.shapes[near(text, at)] {
		begin := at - s.at
		if s.before > 0 {
			if from = begin - s.before; from >= open && s.endsAt(text, from, begin) {
				return from, begin
			}
			continue
		}
		if begin >= open && strings.HasPrefix(text[begin:], s.prefix) && (s.inside || boundary(text, begin)) {
			if end := s.end(text, begin+len(s.prefix)); end > 0 {
				return begin + len(s.prefix), end
			}
		}
	}
	return 0, 0
}

// endsAt reports whether a key without a prefix is between two positions, and its last bytes follow.
func (s *shape) endsAt(text string, from, to int) bool {
	end := to + len(s.prefix)
	return strings.HasPrefix(text[to:], s.prefix) && boundary(text, from) && alphabetEnd(text, from, s.alphabet) >= to &&
		(end == len(text) || inAlphabet[text[end]]&(1<<s.alphabet) == 0)
}

// end returns the end of the key whose prefix ends at this position, or 0 if there is none.
func (s *shape) end(text string, at int) int {
	const proof = 96 // number of bytes that decide whether it is a key
	near := text[:min(len(text), at+max(proof, s.least+1))]
	end := alphabetEnd(near, at, s.alphabet)
	for end > at && (text[end-1] == '.' || text[end-1] == '/' || text[end-1] == '=' && end < len(text) &&
		isAlnum(text[end])) {
		end-- // the end of a sentence
	}
	if n := end - at; n < s.least || (s.most > 0 && n > s.most) {
		return 0
	}
	if s.random && !looksRandom(text[at:end]) {
		return 0
	}
	if s.random && isInPath(text, at-len(s.prefix), end) {
		return 0
	}
	if end < len(near) || s.most > 0 {
		return end
	}
	return alphabetEnd(text, end, s.alphabet)
}

func alphabetEnd(text string, at int, a alphabet) int {
	for at < len(text) && inAlphabet[text[at]]&(1<<a) != 0 {
		at++
	}
	return at
}

// isInPath reports whether a text is a part of the path of a source file, as in a stack trace.
func isInPath(text string, from, to int) bool {
	const longestPath = 512
	begin := from
	for begin > 0 && from-begin < longestPath && text[begin-1] > ' ' &&
		strings.IndexByte("\"'()<>", text[begin-1]) < 0 {
		begin--
	}
	end := to
	for end < len(text) && end-to < longestPath && text[end] > ' ' && strings.IndexByte("\"'()<>,", text[end]) < 0 {
		end++
	}
	path := text[begin:end]
	if strings.Contains(path, "://") || !strings.ContainsAny(path, `/\`) {
		return false
	}
	if begin >= len(`File "`) && strings.HasSuffix(text[:begin], `File "`) {
		return true
	}
	path, _, _ = strings.Cut(path, ":")
	for _, suffix := range [...]string{".py", ".go", ".js", ".ts", ".tsx", ".mjs", ".java", ".rb", ".so", ".pyc", ".rs"} {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return false
}

// boundary reports whether a word can begin at this position: at the start of the text, after a character that is not
// a letter or digit, after an escaped one (\n, \u0022), a percent-encoded byte (%20) or the end of a color.
func boundary(text string, at int) bool {
	if at == 0 || !isAlnum(text[at-1]) {
		return true
	}
	switch {
	case at >= 2 && text[at-2] == '\\':
		return true
	case at >= 3 && text[at-3] == '%' && isHexDigit(text[at-2]) && isHexDigit(text[at-1]):
		return true
	case at >= 5 && text[at-5] == '%' && text[at-4] == '2' && text[at-3] == '5': // %2522
		return true
	case at >= 6 && text[at-6] == '\\' && text[at-5] == 'u', at >= 4 && text[at-4] == '\\' && text[at-3] == 'x':
		return true
	case text[at-1] == 'm': // ESC [ 31 m
		i := at - 1
		for i > 0 && at-i < 16 && (isDigit(text[i-1]) || text[i-1] == ';') {
			i--
		}
		return i > 0 && text[i-1] == '['
	}
	return false
}
