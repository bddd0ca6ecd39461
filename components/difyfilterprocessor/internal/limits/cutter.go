// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// valueSize is what a value counts in addition to its text, so that many empty values are bounded too.
const valueSize = 8

// replacement stands for bytes that are not UTF-8.
const replacement = "\uFFFD"

// cutter limits the items of one batch, one after the other.
type cutter struct {
	set   *Settings
	tally *tally.Tally

	item    pcommon.Map    // attributes of the current item
	left    int            // bytes that the item has room for; a little less than 0 when it is full
	reserve int            // for what was limited before
	applied tally.LimitSet // to the item
}

// begin begins an item of at most size bytes, with these attributes.
//
// Limiting twice must change nothing, although the marks and later passes make an item longer. So an item that has a
// mark may be a little larger, and a map is only cut if it has more than a few entries too many.
func (c *cutter) begin(item pcommon.Map, size int) {
	c.item, c.left, c.reserve, c.applied = item, size, size/16, 0
}

const spareAttributes = 64

// full reports whether the item has no room left.
func (c *cutter) full() bool { return c.left <= 0 && !c.useReserve() }

// useReserve reports whether the item has room now.
func (c *cutter) useReserve() bool {
	if c.reserve > 0 && attrs.Has(c.item, difysemconv.AttrLimited) {
		c.left += c.reserve
	}
	c.reserve = 0
	return c.left > 0
}

// cut counts n cuts by a limit, and notes the limit for the mark.
func (c *cutter) cut(l tally.Limit, n int) {
	c.tally.Limit(l, n)
	c.applied.Add(l)
}

// fits reports whether a text needs no change, and counts its size if so.
func (c *cutter) fits(text string) bool {
	if len(text) > c.set.MaxStringLength || len(text) > c.left || !valid(text) {
		return false
	}
	c.left -= len(text)
	return true
}

// text limits a text outside of attributes.
func (c *cutter) text(text string, set func(string)) {
	if text != "" && !c.fits(text) {
		set(c.limited(text))
	}
}

// limited returns a text that fits. It first cuts and then replaces bytes, which can make a text longer.
func (c *cutter) limited(text string) string {
	if len(text) > c.left {
		c.useReserve()
	}
	room := max(min(c.set.MaxStringLength, c.left), len(attrs.TruncatedMark))
	short := c.shortened(text, room)
	if !valid(short) {
		c.cut(tally.LimitUTF8, 1)
		short = c.shortened(strings.ToValidUTF8(short, replacement), room)
	}
	c.left -= len(short)
	return short
}

func (c *cutter) shortened(text string, room int) string {
	if len(text) <= room {
		return text
	}
	c.cut(c.lengthLimit(len(text)), 1)
	return attrs.FirstBytes(text, room-len(attrs.TruncatedMark)) + attrs.TruncatedMark
}

// lengthLimit returns the limit that a value of this length exceeds.
func (c *cutter) lengthLimit(length int) tally.Limit {
	if length > c.set.MaxStringLength {
		return tally.LimitStringLength
	}
	return tally.LimitItemSize
}

// attributes limits the attributes of an item or of a part of it. It returns the number of those that it removed.
func (c *cutter) attributes(m pcommon.Map) (removed int) { return c.entries(m, 0) }

// entries limits the entries of a map within depth maps and slices.
func (c *cutter) entries(m pcommon.Map, depth int) (removed int) {
	keep, validKeys := 0, true
	most := c.set.MaxAttributes
	if m.Len() <= most+spareAttributes {
		most = m.Len()
	}
	for key, v := range m.All() {
		if keep == most || c.full() {
			break
		}
		keep++
		c.left -= len(key)
		if len(key) > c.set.MaxStringLength || !valid(key) {
			validKeys = false
		}
		c.value(key, v, depth)
	}
	if removed = m.Len() - keep; removed > 0 {
		if keep == most {
			c.cut(tally.LimitAttributes, removed)
		} else {
			c.cut(tally.LimitItemSize, removed)
		}
		i := 0
		m.RemoveIf(func(string, pcommon.Value) bool { i++; return i > keep })
	}
	if !validKeys {
		c.repairKeys(m)
	}
	return removed
}

// repairKeys limits the keys of a map. It removes an entry whose repaired key exists already. It is for maps that are
// limited otherwise.
func (c *cutter) repairKeys(m pcommon.Map) {
	raw := m.AsRaw()
	var bad []string
	for key := range raw {
		if len(key) > c.set.MaxStringLength || !valid(key) {
			bad = append(bad, key)
		}
	}
	slices.Sort(bad)
	for _, key := range bad {
		value := raw[key]
		delete(raw, key)
		good := c.limited(key)
		if _, exists := raw[good]; !exists {
			raw[good] = value
		} else {
			c.cut(tally.LimitAttributes, 1)
		}
	}
	_ = m.FromRaw(raw) // never fails on what AsRaw returned
}

// value limits a value, within depth maps and slices, below the attribute key.
func (c *cutter) value(key string, v pcommon.Value, depth int) {
	c.left -= valueSize
	switch v.Type() {
	case pcommon.ValueTypeStr:
		if text := v.Str(); !c.fits(text) {
			c.long(key, v, text)
		}
	case pcommon.ValueTypeInt, pcommon.ValueTypeBool, pcommon.ValueTypeDouble, pcommon.ValueTypeEmpty:
	case pcommon.ValueTypeBytes:
		c.bytes(key, v)
	case pcommon.ValueTypeMap:
		if c.tooDeep(v, depth) {
			return
		}
		c.entries(v.Map(), depth+1)
	case pcommon.ValueTypeSlice:
		if c.tooDeep(v, depth) {
			return
		}
		c.elements(key, v.Slice(), depth+1)
	}
}

// long limits a string value that does not fit, unless a later pass reads and then removes it.
func (c *cutter) long(key string, v pcommon.Value, text string) {
	if valid(text) && c.set.Whole(key) {
		return
	}
	v.SetStr(c.limited(text))
}

// bytes never modifies the bytes in place, since a copy of the data in another pipeline shares them.
func (c *cutter) bytes(key string, v pcommon.Value) {
	raw := v.Bytes()
	length := raw.Len()
	if length > c.left {
		c.useReserve()
	}
	room := max(min(c.set.MaxStringLength, c.left), 0)
	if length > room && c.set.Whole(key) {
		return
	}
	if length > room {
		c.cut(c.lengthLimit(length), 1)
		short := raw.AsRaw()[:room]
		v.SetEmptyBytes().FromRaw(short)
		length = room
	}
	c.left -= length
}

// tooDeep replaces a map or slice that is within too many others. A text can't be limited again, so it is idempotent.
func (c *cutter) tooDeep(v pcommon.Value, depth int) bool {
	if depth < c.set.MaxDepth {
		return false
	}
	c.cut(tally.LimitDepth, 1)
	v.SetStr(attrs.TruncatedMark)
	return true
}

// elements limits the elements of a slice within depth maps and slices.
func (c *cutter) elements(key string, s pcommon.Slice, depth int) {
	keep := 0
	for _, v := range s.All() {
		if c.full() {
			break
		}
		keep++
		c.value(key, v, depth)
	}
	if removed := s.Len() - keep; removed > 0 {
		c.cut(tally.LimitItemSize, removed)
		i := 0
		s.RemoveIf(func(pcommon.Value) bool { i++; return i > keep })
	}
}
