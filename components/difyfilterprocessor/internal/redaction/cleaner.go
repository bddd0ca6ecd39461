// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// cleaner redacts the texts and attributes of one batch.
type cleaner struct {
	replacer
	source source
	trace  trace
}

// text redacts a text that is not an attribute.
func (c *cleaner) text(place tally.Place, value string, to func(string)) {
	if value == "" {
		return
	}
	c.place = place
	c.scrub("", value, viewText, to)
}

// attributes redacts a map and reports whether it changed it.
func (c *cleaner) attributes(place tally.Place, m pcommon.Map) bool {
	c.place, c.source.item = place, undecided
	before := c.tally.Redacted()
	c.entries(m)
	return before != c.tally.Redacted()
}

// entries redacts the keys and values of a map.
func (c *cleaner) entries(m pcommon.Map) {
	removed, renamed := false, false
	for key, v := range m.All() {
		rule := c.cache.rule(c.redactor, key)
		if rule.plainStays && rule.name == key && v.Type() == pcommon.ValueTypeStr && c.redactor.isPlain(v.Str()) {
			continue
		}
		if by, goes := c.removes(rule, v, m); goes {
			c.tally.RemoveKey(by, rule.name)
			removed = c.changed(by, rule.name) || removed
			continue
		}
		renamed = renamed || rule.name != key
		c.value(rule, key, v, m)
	}
	if removed {
		m.RemoveIf(func(key string, v pcommon.Value) bool {
			_, goes := c.removes(c.cache.rule(c.redactor, key), v, m)
			return goes
		})
	}
	if renamed {
		c.rename(m)
	}
	c.pair(m)
}

// removes reports whether an attribute is removed, and why.
func (c *cleaner) removes(rule *keyRule, v pcommon.Value, m pcommon.Map) (by reason, goes bool) {
	switch rule.action {
	case ActionDrop:
		return tally.ReasonKey, true
	case "":
	default:
		return 0, false
	}
	switch rule.class {
	case content:
		return tally.ReasonKey, true
	case query:
		return tally.ReasonQuery, c.redactor.set.URLQueries
	case user:
		return tally.ReasonUser, c.redactor.set.UserIDs == ActionDrop
	case likely:
		return tally.ReasonKey, !isOneWord(v) && c.denies(m)
	case unknown:
		return tally.ReasonUnknown, isStructured(v) && c.denies(m)
	}
	return 0, false
}

// denies reports whether unknown content is removed: Dify or a GenAI library emitted these attributes.
func (c *cleaner) denies(m pcommon.Map) bool {
	return !c.redactor.set.KeepUnknown && c.source.denies(m)
}

// rename replaces the keys that contain secrets.
func (c *cleaner) rename(m pcommon.Map) {
	var old []string
	for key := range m.All() {
		if rule := c.cache.rule(c.redactor, key); rule.name != key && c.changed(tally.ReasonSecret, rule.name) {
			old = append(old, key)
		}
	}
	for _, key := range old {
		v, _ := m.Get(key)
		moved := pcommon.NewValueEmpty()
		v.CopyTo(moved)
		m.Remove(key)
		moved.CopyTo(m.PutEmpty(c.cache.rule(c.redactor, key).name))
	}
}

// value redacts a value, and everything in it, by the rule for its key.
func (c *cleaner) value(rule *keyRule, key string, v pcommon.Value, m pcommon.Map) {
	switch {
	case rule.action == ActionHash, rule.class == user && c.redactor.set.UserIDs == ActionHash && rule.action == "":
		c.hash(rule, v)
		return
	case rule.class == secret && rule.action == "" && c.redactor.set.Secrets:
		c.mask(key, v)
		return
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		c.str(rule, v, m)
	case pcommon.ValueTypeBytes:
		c.bytes(rule, v, m)
	case pcommon.ValueTypeSlice:
		c.slice(rule, key, v, m)
	case pcommon.ValueTypeMap:
		c.entries(v.Map())
	case pcommon.ValueTypeDouble:
		c.number(v)
	default: // other numbers and booleans can't contain a secret
	}
	if rule.action == ActionTruncate {
		c.truncate(rule, v) // last, since a half of a secret could not be recognized
	}
}

// slice redacts the elements of a list, in which an option of a command announces the element that follows.
func (c *cleaner) slice(rule *keyRule, key string, v pcommon.Value, m pcommon.Map) {
	announced := false
	for _, child := range v.Slice().All() {
		if announced && child.Type() == pcommon.ValueTypeStr && c.redactor.set.Secrets &&
			isSecretValue(strong, child.Str(), true, holder{}) {
			c.mask(key, child)
		} else {
			c.value(rule, key, child, m)
		}
		announced = child.Type() == pcommon.ValueTypeStr && strings.HasPrefix(child.Str(), "-") &&
			announces(child.Str()) == strong
	}
}

// str redacts a string by the class of its key.
func (c *cleaner) str(rule *keyRule, v pcommon.Value, m pcommon.Map) {
	if v.Str() == "" {
		return
	}
	switch rule.class {
	case url:
		c.url(rule, v)
	case statement:
		if c.redactor.set.SQL && c.redactor.set.Secrets {
			clean, rules := c.cache.scrubStatement(c.redactor, v.Str(), databaseSystem(m))
			c.put(rule.name, clean, rules, v.SetStr)
			return
		}
		c.sql(rule, v, m)
	}
	how := viewText
	switch {
	case rule.action != "":
		how = viewKept
	case rule.class == identity || rule.class == user:
		how = viewIdentity
	case rule.class == statement:
		how = viewKept
	case isStructuredText(v.Str()) && rule.class != safe:
		if c.json(rule, v, m) {
			how = viewKept
		}
	}
	c.scrub(rule.name, v.Str(), how, v.SetStr)
	if rule.class == message {
		c.quotations(rule.name, v.Str(), v.SetStr)
	}
}

// url removes the query of a URL.
func (c *cleaner) url(rule *keyRule, v pcommon.Value) {
	bare, rest, found := strings.Cut(v.Str(), "?")
	if found && rest != "" && c.redactor.set.URLQueries && c.changed(tally.ReasonQuery, rule.name) {
		v.SetStr(bare)
	}
}

// sql removes the literals of a statement.
func (c *cleaner) sql(rule *keyRule, v pcommon.Value, m pcommon.Map) {
	if !c.redactor.set.SQL {
		return
	}
	if clean, found := withoutLiterals(v.Str(), databaseSystem(m)); found &&
		c.changed(tally.ReasonSQL, rule.name) {
		v.SetStr(clean)
	}
}

// bytes never modifies the bytes in place, since a copy of the data in another pipeline shares them.
func (c *cleaner) bytes(rule *keyRule, v pcommon.Value, m pcommon.Map) {
	text := pcommon.NewValueStr(string(v.Bytes().AsRaw()))
	before := text.Str()
	c.str(rule, text, m)
	if text.Str() != before {
		v.SetEmptyBytes().FromRaw([]byte(text.Str()))
	}
}
