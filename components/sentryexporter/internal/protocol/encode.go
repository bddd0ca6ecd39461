// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// Spans and their attributes are encoded by hand, because there are many of them: encoding/json takes four times as
// long.

// Append appends the data as a JSON object.
func (d Data) Append(dst []byte) []byte {
	dst = append(dst, '{')
	for i, f := range d {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, f.Key), ':')
		dst = f.Value.append(dst)
	}
	return append(dst, '}')
}

func (v Value) append(dst []byte) []byte {
	switch v.kind {
	case kindTexts:
		return append(dst, v.text...)
	case kindInt:
		return strconv.AppendInt(dst, v.int(), 10)
	case kindFloat:
		return strconv.AppendFloat(dst, math.Float64frombits(v.bits), 'g', -1, 64)
	case kindBool:
		return strconv.AppendBool(dst, v.bits == 1)
	default:
		return appendText(dst, v.text)
	}
}

// Append appends the span as a JSON object. Data that is too large is reduced.
func (s *Span) Append(dst []byte) []byte {
	dst = append(dst, `{"trace_id":"`...)
	dst = hex.AppendEncode(dst, s.TraceID[:])
	dst = append(dst, `","span_id":"`...)
	dst = hex.AppendEncode(dst, s.SpanID[:])
	if s.ParentSpanID != ([8]byte{}) {
		dst = append(dst, `","parent_span_id":"`...)
		dst = hex.AppendEncode(dst, s.ParentSpanID[:])
	}
	dst = append(dst, '"')
	dst = appendField(dst, `,"op":`, s.Op)
	dst = appendField(dst, `,"description":`, s.Description)
	dst = appendField(dst, `,"status":`, s.Status)
	dst = appendField(dst, `,"origin":`, s.Origin)
	dst = appendTime(dst, `,"start_timestamp":"`, s.StartTimestamp)
	dst = appendTime(dst, `,"timestamp":"`, s.Timestamp)
	if len(s.Data) > 0 {
		dst = append(dst, `,"data":`...)
		dst = s.Data.appendFitting(dst, MaxDataBytes)
	}
	if len(s.Links) > 0 {
		dst = appendLinks(dst, s.Links)
	}
	return append(dst, '}')
}

// appendFitting encodes first and checks the size afterwards, since data is rarely too large.
func (d Data) appendFitting(dst []byte, maxBytes int) []byte {
	out := d.Append(dst)
	if len(out)-len(dst) > maxBytes {
		return d.Fit(maxBytes).Append(dst)
	}
	return out
}

func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendText(append(dst, name...), value)
}

func appendTime(dst []byte, name string, t time.Time) []byte {
	dst = append(dst, name...)
	return append(t.AppendFormat(dst, time.RFC3339Nano), '"')
}

func appendLinks(dst []byte, links []Link) []byte {
	dst = append(dst, `,"links":[`...)
	for i, l := range links {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"trace_id":"`...)
		dst = append(dst, l.TraceID...)
		dst = append(dst, `","span_id":"`...)
		dst = append(dst, l.SpanID...)
		dst = append(dst, `"}`...)
	}
	return append(dst, ']')
}

const hexDigits = "0123456789abcdef"

// appendText appends a JSON string. Invalid UTF-8 is replaced.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if b >= ' ' && b != '"' && b != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// Encode returns the payload of a transaction with its spans, which are already encoded, with a comma after each.
func (ev *Event) Encode(spans []byte) ([]byte, error) {
	head, err := json.Marshal(ev)
	if err != nil || len(spans) == 0 {
		return head, err
	}
	const key = `,"spans":[`
	out := make([]byte, 0, len(head)+len(key)+len(spans)+1)
	out = append(out, head[:len(head)-1]...)
	out = append(out, key...)
	out = append(out, spans[:len(spans)-1]...)
	return append(out, ']', '}'), nil
}
