// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Mask replaces a secret. It is never recognized as a secret itself, so that scrubbing is idempotent.
const Mask = "***"

// scrubber removes secrets from text. It recognizes them by their shape (keys of Dify and of model providers, JSON Web
// Tokens, private keys) or by the word before them (password=, Authorization:, Bearer, user:password@). Each shape has
// one trigger byte; only where that occurs does the scrubber look closer.
type scrubber struct {
	patterns []*regexp.Regexp // configured by the operator
}

// cut is a part of a text that is replaced with the mask.
type cut struct{ from, to int }

// scrub returns text without secrets and reports whether it had any. If not, it does not allocate.
func (s *scrubber) scrub(text string) (string, bool) { return repeat(text, s.pass) }

func (s *scrubber) pass(text string) (string, bool) {
	const shortest = 6 // length of a secret with the word before it
	var cuts []cut
	if len(text) >= shortest {
		cuts = findSecrets(cuts, text)
	}
	for _, pattern := range s.patterns {
		for _, at := range pattern.FindAllStringIndex(text, -1) {
			if text[at[0]:at[1]] != Mask {
				cuts = append(cuts, cut{at[0], at[1]})
			}
		}
	}
	if len(cuts) == 0 {
		return text, false
	}
	return apply(text, cuts), true
}

// repeat calls pass until it finds nothing more, since one secret may hide another.
func repeat(text string, pass func(string) (string, bool)) (string, bool) {
	clean, found := pass(text)
	for again, left := found, maxPasses; again && left > 0; left-- {
		clean, again = pass(clean)
	}
	return clean, found
}

// maxPasses is only reached if a pattern of the operator matches the mask.
const maxPasses = 8

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
