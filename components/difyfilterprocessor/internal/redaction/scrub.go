// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

// view is what is cut from a text.
type view uint8

const (
	viewText     view = iota // secrets, and content that the text quotes
	viewKept                 // secrets: an operator wants the content
	viewIdentity             // announced secrets: a name or an ID may look like a key
	// viewStatement marks a cached statement that has neither literals nor secrets.
	viewStatement
)

// found has a bit for each rule that changed a text.
type found uint32

func (f *found) add(r reason) { *f |= 1 << r }

// scrub returns a text without what its view cuts, and the rules that found something. If none did, it does not
// allocate, unless the text has escapes.
func (r *Redactor) scrub(text string, v view) (string, found) {
	var all found
	for range maxPasses { // one secret may hide another
		cuts := r.cuts(text, v)
		if len(cuts) == 0 {
			break
		}
		for _, c := range cuts {
			all.add(c.rule)
		}
		text = apply(text, cuts)
	}
	return text, all
}

// isPlain reports whether a short text can't be changed. Most are a word or a number.
func (r *Redactor) isPlain(text string) bool {
	return len(text) <= maxPlainLength && len(r.set.SecretPatterns) == 0 && isPlain(text) &&
		!isStructuredText(text)
}

// maxPasses is only reached if a pattern of the operator matches the mask.
const maxPasses = 8

// cuts returns what a view cuts from a text: as it is, and under up to maxLevels levels of escapes.
func (r *Redactor) cuts(text string, v view) []cut {
	const shortest = 6 // length of a secret with the word before it
	var cuts []cut
	if len(text) >= shortest {
		var escaped bool
		if cuts, escaped = r.scan(text, v); len(cuts) == 0 && escaped {
			cuts = r.scanDecoded(text, v)
		}
	}
	if !r.set.Secrets {
		return cuts
	}
	for _, pattern := range r.set.SecretPatterns {
		for _, at := range pattern.FindAllStringIndex(text, -1) {
			if text[at[0]:at[1]] != Mask {
				cuts = append(cuts, cut{at[0], at[1], rulePattern})
			}
		}
	}
	return cuts
}

// scan returns the cuts, and whether the text has escapes if there are none.
func (r *Redactor) scan(text string, v view) (cuts []cut, escaped bool) {
	s := scan{
		text:    text,
		set:     &r.set,
		paths:   &r.paths,
		content: r.set.Messages && v == viewText,
		shapes:  r.set.Secrets && v != viewIdentity,
	}
	scanner{&s}.run()
	return s.cuts, s.escaped
}

// scanDecoded scans a text without its escapes, one level after the other.
func (r *Redactor) scanDecoded(text string, v view) []cut {
	d := decoded{text: text}
	for range maxLevels {
		var changed bool
		if d, changed = decode(d); !changed {
			return nil
		}
		if cuts, _ := r.scan(d.text, v); len(cuts) > 0 {
			for i := range cuts {
				cuts[i].from, cuts[i].to = d.original(cuts[i].from), d.original(cuts[i].to)
			}
			if cuts = unmasked(text, cuts); len(cuts) > 0 {
				return cuts
			}
		}
	}
	return nil
}

// unmasked removes the cuts that are masked already.
func unmasked(text string, cuts []cut) []cut {
	kept := cuts[:0]
	for _, c := range cuts {
		if c.to > c.from && text[c.from:c.to] != Mask {
			kept = append(kept, c)
		}
	}
	return kept
}
