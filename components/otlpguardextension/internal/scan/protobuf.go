// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scan

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// MaxProtobufDepth is the number of maps and lists that pdata decodes inside each other from the binary encoding; it
// rejects what is deeper.
const MaxProtobufDepth = 50

// Worst returns the most that a request of a size in the binary encoding can contain, whatever it is.
func Worst(size int) Size {
	return Size{
		Items:      size / shortestMessage,
		Attributes: size / shortestMessage,
		Memory:     int64(size+shortestMessage) * worstPerByte(),
	}
}

// Coarse is like Protobuf, but does not look into spans, data points and log records. It assumes the most that they
// can contain, which takes a fraction of the time. The depth of their values is not checked: see MaxProtobufDepth.
func Coarse(signal Signal, body []byte, limits Limits) (Size, error) {
	return protobuf(signal, body, scanner{limits: limits, coarse: true})
}

// Protobuf scans a request in the binary encoding.
func Protobuf(signal Signal, body []byte, limits Limits) (Size, error) {
	return protobuf(signal, body, scanner{limits: limits})
}

func protobuf(signal Signal, body []byte, s scanner) (Size, error) {
	err := s.protoMessage(schema()[signal], body, 0)
	if err == nil {
		err = s.size.Exceeds(s.limits.Size)
	}
	return s.size, err
}

// protoMessage scans the fields of a message; depth is the number of maps and lists around it. It accepts less than
// pdata: no groups, which OTLP has not, and no numbers that exceed their type.
func (s *scanner) protoMessage(m *message, buf []byte, depth int) error {
	for len(buf) > 0 {
		tag, n := varint(buf)
		if n <= 0 || tag > math.MaxUint32 || tag>>3 == 0 {
			return ErrMalformed
		}
		buf = buf[n:]
		f, wire := m.field(tag>>3), protowire.Type(tag&7)
		if f.kind != 0 && f.wire != wire && (wire != protowire.BytesType || !f.packed()) {
			return ErrMalformed
		}
		switch wire {
		case protowire.BytesType:
			length, k := varint(buf)
			if k <= 0 || length > uint64(len(buf)-k) { //nolint:gosec // k <= len(buf)
				return ErrMalformed
			}
			n = k + int(length) //nolint:gosec // within buf
			if err := s.protoContent(f, buf[k:n], depth); err != nil {
				return err
			}
		case protowire.VarintType:
			_, n = varint(buf)
			s.size.Memory += f.cost
		case protowire.Fixed64Type:
			n = 8
			s.size.Memory += f.cost
		case protowire.Fixed32Type:
			n = 4
		default:
			return ErrMalformed
		}
		if n <= 0 || n > len(buf) {
			return ErrMalformed
		}
		buf = buf[n:]
	}
	return nil
}

// protoContent scans what has a length.
func (s *scanner) protoContent(f *field, content []byte, depth int) error {
	switch f.kind {
	case protoreflect.MessageKind:
		inner, err := s.count(f, depth)
		if err != nil {
			return err
		}
		if s.coarse && f.counter == countItem {
			most := Worst(len(content))
			s.size.Attributes += most.Attributes
			s.size.Memory += most.Memory
			return nil
		}
		return s.protoMessage(f.message, content, inner)
	case protoreflect.StringKind, protoreflect.BytesKind:
		if f.idSize > 0 && len(content) != 0 && len(content) != f.idSize {
			return ErrMalformed
		}
		s.size.Memory += f.cost + int64(len(content))
		return nil
	case 0: // unknown, skipped by pdata
		return nil
	default:
		return s.protoNumbers(f, content)
	}
}

// protoNumbers scans packed numbers.
func (s *scanner) protoNumbers(f *field, content []byte) error {
	if f.wire == protowire.Fixed64Type { // allocated at once
		s.size.Memory += f.cost + int64(len(content))
		if len(content)%8 != 0 {
			return ErrMalformed
		}
		return nil
	}
	for len(content) > 0 {
		_, n := varint(content)
		if n <= 0 {
			return ErrMalformed
		}
		s.size.Memory += f.cost
		content = content[n:]
	}
	return nil
}

// varint is binary.Uvarint, with the usual case of one byte inlined.
func varint(buf []byte) (uint64, int) {
	if len(buf) > 0 && buf[0] < 0x80 {
		return uint64(buf[0]), 1
	}
	return binary.Uvarint(buf)
}
