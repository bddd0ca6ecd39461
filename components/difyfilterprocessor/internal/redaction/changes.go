// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// changes counts the changes of a batch, and decides whether they are applied.
type changes struct {
	redactor *Redactor
	cache    *cleanCache
	tally    *tally.Tally
	place    tally.Place
	marks    []string // with Settings.Audit, what would change in the current item
}

// changed counts a change and reports whether to apply it.
func (c *changes) changed(by reason, key string) bool {
	c.count(by, key)
	if !c.redactor.set.Audit {
		return true
	}
	const most = 64
	if mark := by.String() + " " + c.place.String(); len(c.marks) < most {
		if key != "" {
			mark += " " + key
		}
		c.marks = append(c.marks, mark)
	}
	return false
}

func (c *changes) count(by reason, key string) {
	c.tally.Redact(by, c.place)
	if report := c.redactor.set.Report; report != nil {
		report(by, c.place, key)
	}
}

// scrub redacts a text by its view.
func (c *changes) scrub(key, value string, v view, to func(string)) {
	clean, rules := c.cache.scrub(c.redactor, value, v)
	c.put(key, clean, rules, to)
}

// put counts the rules that changed a text, and writes what they left.
func (c *changes) put(key, clean string, rules found, to func(string)) {
	if rules == 0 {
		return
	}
	apply := true
	for r := range tally.Reasons {
		if rules&(1<<r) != 0 {
			apply = c.changed(r, key)
		}
	}
	if apply {
		to(clean)
	}
}

// mark returns what would change in the current item, each once, and begins the next one.
func (c *changes) mark(m pcommon.Map) {
	if len(c.marks) == 0 {
		return
	}
	slices.Sort(c.marks)
	list := m.PutEmptySlice(AttrAudit)
	for _, mark := range slices.Compact(c.marks) {
		list.AppendEmpty().SetStr(mark)
	}
	c.marks = c.marks[:0]
}
