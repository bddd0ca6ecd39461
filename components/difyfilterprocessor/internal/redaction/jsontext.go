// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// json redacts JSON in a string, key by key, and reports whether it is JSON.
func (c *cleaner) json(rule *keyRule, v pcommon.Value, m pcommon.Map) bool {
	r := jsonReader{cleaner: c, text: v.Str(), denies: c.denies(m), key: rule.name}
	if !r.value(&keyRule{class: nested}, 0) || r.blanks() < len(r.text) {
		return false
	}
	if len(r.edits) > 0 && r.apply {
		v.SetStr(r.edited())
	}
	return true
}

// jsonReader reads JSON in one pass and edits the values that are content or secrets.
type jsonReader struct {
	cleaner *cleaner
	text    string
	at      int
	denies  bool   // unknown content is removed
	key     string // of the attribute, for the counts
	edits   []edit
	apply   bool
}

// edit replaces a part of a text.
type edit struct {
	from, to int
	text     string
}

const deepest = 64

func (r *jsonReader) blanks() int {
	for r.at < len(r.text) && isBlank(r.text[r.at]) {
		r.at++
	}
	return r.at
}

// value reads a value and redacts it by the rule for its key. It returns false if it is not JSON.
func (r *jsonReader) value(rule *keyRule, depth int) bool {
	from := r.blanks()
	if from == len(r.text) || depth > deepest {
		return false
	}
	switch rule.class {
	case content, query, secret:
		return r.masked(rule, depth)
	case likely:
		if r.denies {
			return r.masked(rule, depth)
		}
	}
	switch r.text[from] {
	case '{':
		return r.object(rule, depth)
	case '[':
		return r.list(rule, depth)
	case '"':
		if !r.str() {
			return false
		}
		r.string(rule, from+1, r.at-1)
		return true
	}
	return r.literal()
}

// masked skips a value and masks it.
func (r *jsonReader) masked(rule *keyRule, depth int) bool {
	from := r.at
	if !r.skip(depth) {
		return false
	}
	value := r.text[from:r.at]
	switch value {
	case `"` + Mask + `"`, `""`, "null", "true", "false", "[]", "{}":
		return true
	}
	by := tally.ReasonKey
	if rule.class == secret {
		if !r.cleaner.redactor.set.Secrets || !isSecretValue(strong, strings.Trim(value, `"`), true, holder{}) {
			return true
		}
		by = tally.ReasonSecret
	} else if rule.class == likely && isHarmlessContent(strings.Trim(value, `"`), false) {
		return true
	}
	r.edit(by, from, r.at, `"`+Mask+`"`)
	return true
}

func (r *jsonReader) edit(by reason, from, to int, text string) {
	if r.cleaner.changed(by, r.key) {
		r.apply = true
		r.edits = append(r.edits, edit{from, to, text})
	}
}

// skip moves past a value.
func (r *jsonReader) skip(depth int) bool {
	if r.blanks() == len(r.text) || depth > deepest {
		return false
	}
	open := r.text[r.at]
	switch open {
	case '"':
		return r.str()
	case '{', '[':
		r.at++
		for first := true; ; first = false {
			done, ok := r.next(open, first)
			if done || !ok {
				return ok
			}
			if open == '{' && (!r.str() || !r.sign(':')) {
				return false
			}
			if !r.skip(depth + 1) {
				return false
			}
		}
	}
	return r.literal()
}

// next moves to the next element of an object or a list, and reports whether its end was reached.
func (r *jsonReader) next(open byte, first bool) (done, ok bool) {
	if r.blanks() == len(r.text) {
		return false, false
	}
	if r.text[r.at] == open+2 { // } and ] follow { and [
		r.at++
		return true, true
	}
	if !first && !r.sign(',') {
		return false, false
	}
	return false, r.blanks() < len(r.text)
}

func (r *jsonReader) sign(c byte) bool {
	if r.blanks() == len(r.text) || r.text[r.at] != c {
		return false
	}
	r.at++
	return true
}

// str moves past a string.
func (r *jsonReader) str() bool {
	if r.text[r.at] != '"' {
		return false
	}
	for r.at++; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case '\\':
			r.at++
		case '"':
			r.at++
			return true
		}
	}
	return false
}

// literal moves past a number or a word.
func (r *jsonReader) literal() bool {
	from := r.at
	for r.at < len(r.text) && (isAlnum(r.text[r.at]) || strings.IndexByte("+-.", r.text[r.at]) >= 0) {
		r.at++
	}
	return r.at > from
}

func (r *jsonReader) object(rule *keyRule, depth int) bool {
	r.at++
	for first := true; ; first = false {
		done, ok := r.next('{', first)
		if done || !ok {
			return ok
		}
		from := r.at
		if !r.str() {
			return false
		}
		key := r.text[from+1 : r.at-1]
		if !r.sign(':') {
			return false
		}
		inner := *r.cleaner.cache.rule(r.cleaner.redactor, key)
		if inner.class == unknown && rule.class == message {
			inner.class = message
		}
		if inner.action == ActionDrop {
			inner.class = content
		} else if inner.action != "" {
			inner.class = safe
		}
		if !r.value(&inner, depth+1) {
			return false
		}
	}
}

func (r *jsonReader) list(rule *keyRule, depth int) bool {
	r.at++
	for first := true; ; first = false {
		done, ok := r.next('[', first)
		if done || !ok {
			return ok
		}
		if !r.value(rule, depth+1) {
			return false
		}
	}
}

// string redacts the string between two positions.
func (r *jsonReader) string(rule *keyRule, from, to int) {
	value := r.text[from:to]
	if value == "" || value == Mask {
		return
	}
	c := r.cleaner
	switch rule.class {
	case user:
		if clean, changed := c.hashed(value); changed && c.redactor.set.UserIDs != ActionKeep {
			r.edit(tally.ReasonUser, from, to, clean)
		}
		return
	case url:
		if bare, rest, found := strings.Cut(value, "?"); found && rest != "" && c.redactor.set.URLQueries {
			r.edit(tally.ReasonQuery, from, to, bare)
			return
		}
	case statement:
		if clean, found := withoutLiterals(value, ""); found && c.redactor.set.SQL {
			r.edit(tally.ReasonSQL, from, to, clean)
			return
		}
	case unknown:
		if r.denies && (len(value) > longText || isStructuredText(value)) {
			r.edit(tally.ReasonUnknown, from, to, Mask)
			return
		}
	}
	how := viewText
	if rule.class == identity {
		how = viewIdentity
	}
	if clean, rules := c.cache.scrub(c.redactor, value, how); rules != 0 {
		for by := range tally.Reasons {
			if rules&(1<<by) != 0 {
				r.edit(by, from, to, clean)
				return
			}
		}
	}
}

func (r *jsonReader) edited() string {
	var b strings.Builder
	b.Grow(len(r.text))
	at := 0
	for _, e := range r.edits {
		b.WriteString(r.text[at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	b.WriteString(r.text[at:])
	return b.String()
}
