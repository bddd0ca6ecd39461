// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scan

import (
	"encoding/json"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxKnownKeyLength bounds the keys that are unescaped: none of OTLP's keys is longer, even with all of it escaped.
const maxKnownKeyLength = 256

// JSON scans a request in the JSON encoding. What follows the request in the body is not read, as in pdata.
func JSON(signal Signal, body []byte, limits Limits) (Size, error) {
	s := jsonScanner{lexer: lexer{buf: body}, scanner: scanner{limits: limits}}
	err := s.object(schema()[signal], 0)
	if err == nil {
		err = s.size.Exceeds(limits.Size)
	}
	return s.size, err
}

type jsonScanner struct {
	lexer
	scanner
}

// object scans an object, or null.
func (s *jsonScanner) object(m *message, depth int) error {
	return s.elements('{', '}', func() error {
		if s.next() != '"' {
			return ErrMalformed
		}
		key, escaped, err := s.text()
		if err != nil {
			return err
		}
		s.size.Memory += int64(len(key))
		if s.next() != ':' {
			return ErrMalformed
		}
		s.pos++
		if m == unknown {
			return s.skip(depth)
		}
		if len(key) == 0 { // pdata takes it for the end of the object
			return ErrMalformed
		}
		if escaped {
			key = unescape(key)
		}
		f := m.byName[string(key)]
		switch {
		case f == nil:
			return s.skip(depth)
		case f.list:
			return s.elements('[', ']', func() error { return s.value(f, depth) })
		default:
			return s.value(f, depth)
		}
	})
}

// elements scans what is between two brackets and separated by commas, or null.
func (s *jsonScanner) elements(opening, closing byte, element func() error) error {
	switch s.next() {
	case 'n':
		return s.literal("null")
	case opening:
	default:
		return ErrMalformed
	}
	s.pos++
	if s.next() == closing {
		s.pos++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		c := s.next()
		s.pos++
		if c == closing {
			return nil
		}
		if c != ',' {
			return ErrMalformed
		}
	}
}

// unescape returns a key without its escapes, or nil if OTLP has no key of this length.
func unescape(key []byte) []byte {
	if len(key) > maxKnownKeyLength {
		return nil
	}
	var text string
	if json.Unmarshal(append(append([]byte{'"'}, key...), '"'), &text) != nil {
		return nil
	}
	return []byte(text)
}

// value scans a value of a field. The cases mirror the methods by which pdata reads it.
func (s *jsonScanner) value(f *field, depth int) error {
	if f.kind == protoreflect.MessageKind {
		inner, err := s.count(f, depth)
		if err != nil {
			return err
		}
		return s.object(f.message, inner)
	}
	s.size.Memory += f.cost
	switch f.kind {
	case protoreflect.StringKind:
		if s.next() == 'n' {
			return s.literal("null")
		}
		return s.string()
	case protoreflect.BytesKind:
		return s.bytes(f.idSize)
	case protoreflect.BoolKind:
		return s.bool()
	default:
		return s.number(f)
	}
}

// string scans a string that pdata copies.
func (s *jsonScanner) string() error {
	content, escaped, err := s.text()
	s.size.Memory += int64(len(content))
	if escaped { // collected in a slice that grows
		s.size.Memory += int64(len(content)) * growthNumerator / growthDenominator
	}
	return err
}

// bytes scans an ID of a size, or base64.
func (s *jsonScanner) bytes(idSize int) error {
	content, escaped, err := s.text()
	if err != nil || escaped { // pdata would end an escaped string at the first quote
		return ErrMalformed
	}
	if idSize > 0 {
		return validID(content, idSize)
	}
	s.size.Memory += int64(len(content))
	return validBase64(content)
}

func (s *jsonScanner) bool() error {
	switch s.next() {
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	default:
		return ErrMalformed
	}
}

// number scans a number, or a string with a number or with the name of an enum's value.
func (s *jsonScanner) number(f *field) error {
	var token []byte
	var err error
	if s.next() == '"' {
		var escaped bool
		if token, escaped, err = s.text(); escaped || len(token) > maxNumberLength {
			return ErrMalformed
		}
		s.size.Memory += int64(len(token)) + sizeRounding
		if f.enum != nil && err == nil && f.enum.ByName(protoreflect.Name(token)) != nil {
			return nil
		}
	} else {
		token, err = s.numeral()
	}
	if err != nil {
		return err
	}
	switch f.kind {
	case protoreflect.DoubleKind:
		_, err = strconv.ParseFloat(string(token), 64)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		_, err = strconv.ParseUint(string(token), 10, 32)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		_, err = strconv.ParseUint(string(token), 10, 64)
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		_, err = strconv.ParseInt(string(token), 10, 64)
	default: // enums and other numbers of 32 bits
		_, err = strconv.ParseInt(string(token), 10, 32)
	}
	if err != nil {
		return ErrMalformed
	}
	return nil
}

// skip scans a value that OTLP does not know; its own objects and arrays count as depth.
func (s *jsonScanner) skip(depth int) error {
	if depth > s.limits.Depth {
		return ErrDepth
	}
	switch s.next() {
	case '{':
		return s.object(unknown, depth+1)
	case '[':
		return s.elements('[', ']', func() error { return s.skip(depth + 1) })
	case '"':
		return s.string()
	case 't', 'f':
		return s.bool()
	case 'n':
		return s.literal("null")
	default:
		token, err := s.numeral()
		s.size.Memory += int64(len(token))
		if err != nil {
			return err
		}
		// pdata parses some of the numbers that it skips, those that begin with a zero in single precision.
		bits := 64
		if token[0] == '0' {
			bits = 32
		}
		if _, err := strconv.ParseFloat(string(token), bits); err != nil {
			return ErrMalformed
		}
		return nil
	}
}
