// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"cmp"
	"math"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// cleaner redacts the values of one batch.
type cleaner struct {
	set      *Settings
	keys     *keyRules
	scrubber *scrubber
	cache    *cleanCache
	tally    *tally.Tally
}

// message removes the content that a text about an event quotes, and scrubs it.
func (c *cleaner) message(value string, to func(string)) {
	if c.set.Messages && value != "" {
		clean, found := repeat(value, func(text string) (string, bool) {
			cuts := findContent(nil, text, c.set.URLQueries)
			if len(cuts) == 0 {
				return text, false
			}
			return apply(text, cuts), true
		})
		if found {
			to(clean)
			value = clean
			c.tally.Redact(tally.ReasonMessage)
		}
	}
	c.text(value, to)
}

// text scrubs a text outside of attributes.
func (c *cleaner) text(value string, to func(string)) {
	if !c.set.Secrets || value == "" {
		return
	}
	if clean, found := c.cache.scrub(c.scrubber, value); found {
		to(clean)
		c.tally.Redact(tally.ReasonSecret)
	}
}

// attributes redacts a map of attributes and reports whether it changed it.
func (c *cleaner) attributes(attributes pcommon.Map) bool {
	before := c.tally.Redacted()
	dropped := false
	for key, v := range attributes.All() {
		dropped = c.attribute(key, v, attributes) || dropped
	}
	if dropped {
		attributes.RemoveIf(func(key string, _ pcommon.Value) bool { return c.drops(key) })
	}
	return before != c.tally.Redacted()
}

func (c *cleaner) drops(key string) bool {
	action := c.keys.action(key)
	return action == ActionDrop || (action == "" && key == attrs.URLQuery && c.set.URLQueries)
}

// attribute redacts one attribute and reports whether the caller must remove it.
func (c *cleaner) attribute(key string, v pcommon.Value, attributes pcommon.Map) bool {
	switch c.keys.action(key) {
	case ActionDrop:
		c.tally.Redact(tally.ReasonKey)
		return true
	case ActionHash:
		c.hash(v)
		return false
	case ActionTruncate:
		c.value(key, v) // before truncation, which could leave an unrecognizable half of a secret
		c.truncate(v)
	case "":
		if key == attrs.URLQuery && c.set.URLQueries {
			c.tally.Redact(tally.ReasonQuery)
			return true
		}
	}
	if v.Type() == pcommon.ValueTypeStr {
		c.byMeaning(key, v, attributes)
	}
	c.value(key, v)
	return false
}

// byMeaning removes what is content by the meaning of the key: literals of a statement, the query of a URL.
func (c *cleaner) byMeaning(key string, v pcommon.Value, attributes pcommon.Map) {
	switch key {
	case attrs.OldDBStatement, attrs.DBQueryText:
		if !c.set.SQL {
			return
		}
		if clean, found := c.cache.withoutLiterals(v.Str(),
			cmp.Or(attrs.Text(attributes, attrs.OldDBSystem), attrs.Text(attributes, attrs.DBSystemName))); found {
			v.SetStr(clean)
			c.tally.Redact(tally.ReasonSQL)
		}
	case attrs.OldHTTPURL, attrs.OldHTTPTarget, attrs.HTTPRoute, attrs.URLPath, attrs.URLFull:
		if bare, _, found := strings.Cut(v.Str(), "?"); c.set.URLQueries && found {
			v.SetStr(bare)
			c.tally.Redact(tally.ReasonQuery)
		}
	}
}

// value scrubs a value and everything in it. If the key itself is the name of a secret, every text is a secret.
func (c *cleaner) value(key string, v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		c.str(key, v)
	case pcommon.ValueTypeBytes:
		c.bytes(key, v)
	case pcommon.ValueTypeSlice:
		for _, child := range v.Slice().All() {
			c.value(key, child)
		}
	case pcommon.ValueTypeMap:
		if secretWord(key) == "" {
			c.attributes(v.Map())
			return
		}
		for _, child := range v.Map().All() {
			c.value(key, child)
		}
	case pcommon.ValueTypeDouble:
		if c.number(v) {
			c.str(key, v)
		}
	default: // other numbers and booleans can't contain a secret
	}
}

// bytes never modifies the bytes in place, since a copy of the data in another pipeline shares them.
func (c *cleaner) bytes(key string, v pcommon.Value) {
	text := pcommon.NewValueStr(string(v.Bytes().AsRaw()))
	before := text.Str()
	c.str(key, text)
	if text.Str() != before {
		v.SetEmptyBytes().FromRaw([]byte(text.Str()))
	}
}

func (c *cleaner) str(key string, v pcommon.Value) {
	if isMessage(key) {
		c.message(v.Str(), v.SetStr)
		return
	}
	value := v.Str()
	if !c.set.Secrets || value == "" {
		return
	}
	if secretWord(key) != "" {
		if value != Mask && !isHarmless(value) && !isPlaceholder(value) {
			v.SetStr(Mask)
			c.tally.Redact(tally.ReasonSecret)
		}
		return
	}
	if clean, found := c.cache.scrub(c.scrubber, value); found {
		v.SetStr(clean)
		c.tally.Redact(tally.ReasonSecret)
	}
}

// number converts a number that JSON can't represent to text. The stock OpenSearch exporter drops the whole span or
// record because of such a number.
func (c *cleaner) number(v pcommon.Value) bool {
	word := ""
	switch d := v.Double(); {
	case math.IsNaN(d):
		word = "NaN"
	case math.IsInf(d, 1):
		word = "Infinity"
	case math.IsInf(d, -1):
		word = "-Infinity"
	default:
		return false
	}
	v.SetStr(word)
	c.tally.Redact(tally.ReasonNumber)
	return true
}
