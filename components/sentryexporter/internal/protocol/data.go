// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
)

// Data are named values that can always be encoded, in their original order. They are a list, not a map: spans have few
// attributes, and encoding them is what this exporter does most.
type Data []Field

// Field is a named value.
type Field struct {
	Key   string
	Value Value
}

// Value is a text, a list of texts, a number or a boolean.
type Value struct {
	kind valueKind
	text string // for a list, its JSON form
	bits uint64 // of a number or boolean
}

type valueKind uint8

const (
	kindText valueKind = iota
	kindTexts
	kindInt
	kindFloat
	kindBool
)

// TextValue returns a text, truncated to MaxString characters.
func TextValue(s string) Value { return Value{text: Text(s, MaxString)} }

// TextsValue returns a list of such texts.
func TextsValue(texts ...string) Value {
	list := []byte{'['}
	for i, s := range texts {
		if i > 0 {
			list = append(list, ',')
		}
		list = appendText(list, Text(s, MaxString))
	}
	return Value{kind: kindTexts, text: string(append(list, ']'))}
}

// IntValue returns an integer.
func IntValue(n int64) Value { return Value{kind: kindInt, bits: uint64(n)} } //nolint:gosec // the same bits

// FloatValue returns a number. NaN and infinities, which JSON lacks, become texts.
func FloatValue(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{text: strconv.FormatFloat(f, 'g', -1, 64)}
	}
	return Value{kind: kindFloat, bits: math.Float64bits(f)}
}

// BoolValue returns a boolean.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: kindBool, bits: 1}
	}
	return Value{kind: kindBool}
}

func (v Value) int() int64 { return int64(v.bits) } //nolint:gosec // the same bits

// Scalar returns the value as a Go value; for a list, its JSON text.
func (v Value) Scalar() any {
	switch v.kind {
	case kindInt:
		return v.int()
	case kindFloat:
		return math.Float64frombits(v.bits)
	case kindBool:
		return v.bits == 1
	default:
		return v.text
	}
}

// Text returns the value as text.
func (v Value) Text() string {
	if v.kind == kindText {
		return v.text
	}
	return string(v.append(nil))
}

// Get returns the value of a key.
func (d Data) Get(key string) (Value, bool) {
	for i := range d {
		if d[i].Key == key {
			return d[i].Value, true
		}
	}
	return Value{}, false
}

// Set sets the value of a key.
func (d *Data) Set(key string, v Value) {
	for i := range *d {
		if (*d)[i].Key == key {
			(*d)[i].Value = v
			return
		}
	}
	*d = append(*d, Field{key, v})
}

// Supply sets the value of a key that does not exist.
func (d *Data) Supply(key string, v Value) {
	if _, ok := d.Get(key); !ok {
		*d = append(*d, Field{key, v})
	}
}

// Delete removes a key.
func (d *Data) Delete(key string) {
	*d = slices.DeleteFunc(*d, func(f Field) bool { return f.Key == key })
}

// Encode encodes the data as an object of at most maxBytes.
func (d Data) Encode(maxBytes int) json.RawMessage {
	return d.appendFitting(nil, maxBytes)
}
