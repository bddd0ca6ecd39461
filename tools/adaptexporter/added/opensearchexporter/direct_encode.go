//go:build ignore

// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchexporter

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// spanEncoder writes the documents of encodeTrace, to the byte, without reflection. What is the same for all spans of a
// resource and of a scope is encoded once.
type spanEncoder struct {
	dataStream []byte // the attribute that the exporter adds
	resource   []byte // the document's member, with the comma before it
	scope      []byte

	entries []entry // a stack: nested maps use what is above
}

// entry is a member of a map. raw is its value, if it is already encoded.
type entry struct {
	key   string
	value pcommon.Value
	raw   []byte
}

func newSpanEncoder(dataset, namespace string) *spanEncoder {
	e := &spanEncoder{}
	if dataset != "" || namespace != "" {
		e.dataStream, _ = json.Marshal(dataStream{Dataset: dataset, Namespace: namespace, Type: "span"}) // strings only
	}
	return e
}

func (e *spanEncoder) setResource(resource pcommon.Resource) {
	e.resource = e.resource[:0]
	if resource.Attributes().Len() > 0 {
		encoded, _ := json.Marshal(attributesToMapString(resource.Attributes())) // strings only
		e.resource = append(append(e.resource, `,"resource":`...), encoded...)
	}
}

// setScope leaves scope empty if the scope has values that only the stock code encodes.
func (e *spanEncoder) setScope(scope pcommon.InstrumentationScope, schemaURL string) {
	out, ok := append(e.scope[:0], `,"instrumentationScope":{`...), true
	if scope.Attributes().Len() > 0 {
		if out, ok = e.appendMap(append(out, `"attributes":`...), scope.Attributes(), nil); !ok {
			e.scope = out[:0]
			return
		}
		out = append(out, ',')
	}
	out = appendCount(out, `"droppedAttributesCount":`, scope.DroppedAttributesCount())
	out = appendString(append(out, `,"name":`...), scope.Name())
	out = appendString(append(out, `,"schemaUrl":`...), schemaURL)
	out = appendString(append(out, `,"version":`...), scope.Version())
	e.scope = append(out, '}')
}

// append writes a span's document. It returns false for a span with values that only the stock code encodes.
func (e *spanEncoder) append(out []byte, span ptrace.Span) ([]byte, bool) {
	if len(e.scope) == 0 {
		return out, false
	}
	out, ok := append(out, '{'), true
	if span.Attributes().Len() > 0 || e.dataStream != nil {
		if out, ok = e.appendMap(append(out, `"attributes":`...), span.Attributes(), e.dataStream); !ok {
			return out, false
		}
		out = append(out, ',')
	}
	out = appendCount(out, `"droppedAttributesCount":`, span.DroppedAttributesCount())
	out = appendCount(out, `,"droppedEventsCount":`, span.DroppedEventsCount())
	out = appendCount(out, `,"droppedLinksCount":`, span.DroppedLinksCount())
	out = appendTime(append(out, `,"endTime":`...), span.EndTimestamp())
	if out, ok = e.appendEvents(out, span.Events()); !ok {
		return out, false
	}
	out = append(out, e.scope...)
	out = appendString(append(out, `,"kind":`...), span.Kind().String())
	if out, ok = e.appendLinks(out, span.Links()); !ok {
		return out, false
	}
	out = appendString(append(out, `,"name":`...), span.Name())
	out = appendString(append(out, `,"parentSpanId":`...), span.ParentSpanID().String())
	out = append(out, e.resource...)
	out = appendString(append(out, `,"spanId":`...), span.SpanID().String())
	out = appendTime(append(out, `,"startTime":`...), span.StartTimestamp())
	out = appendString(append(out, `,"status":{"code":`...), span.Status().Code().String())
	out = appendString(append(out, `,"message":`...), span.Status().Message())
	out = append(out, `},"@timestamp":"0001-01-01T00:00:00Z"`...)
	out = appendString(append(out, `,"traceId":`...), span.TraceID().String())
	out = appendString(append(out, `,"traceState":`...), span.TraceState().AsRaw())
	return append(out, '}'), true
}

func (e *spanEncoder) appendEvents(out []byte, events ptrace.SpanEventSlice) ([]byte, bool) {
	for i, event := range events.All() {
		if i == 0 {
			out = append(out, `,"events":[`...)
		} else {
			out = append(out, ',')
		}
		var ok bool
		if out, ok = e.appendMap(append(out, `{"attributes":`...), event.Attributes(), nil); !ok {
			return out, false
		}
		out = appendCount(out, `,"droppedAttributesCount":`, event.DroppedAttributesCount())
		out = appendString(append(out, `,"name":`...), event.Name())
		if event.Timestamp().AsTime().Unix() != 0 {
			out = appendTime(append(out, `,"@timestamp":`...), event.Timestamp())
		} else {
			now, _ := time.Now().MarshalJSON() // of this century
			out = append(append(out, `,"observedTimestamp":`...), now...)
		}
		out = append(out, '}')
	}
	if events.Len() > 0 {
		out = append(out, ']')
	}
	return out, true
}

func (e *spanEncoder) appendLinks(out []byte, links ptrace.SpanLinkSlice) ([]byte, bool) {
	for i, link := range links.All() {
		if i == 0 {
			out = append(out, `,"links":[`...)
		} else {
			out = append(out, ',')
		}
		start := len(out)
		if link.Attributes().Len() > 0 {
			var ok bool
			if out, ok = e.appendMap(append(out, `,"attributes":`...), link.Attributes(), nil); !ok {
				return out, false
			}
		}
		out = appendText(out, `,"spanId":`, link.SpanID().String())
		out = appendText(out, `,"traceId":`, link.TraceID().String())
		out = appendText(out, `,"traceState":`, link.TraceState().AsRaw())
		if link.DroppedAttributesCount() > 0 {
			out = appendCount(out, `,"droppedAttributesCount":`, link.DroppedAttributesCount())
		}
		if len(out) == start {
			out = append(out, '{')
		} else {
			out[start] = '{' // instead of the comma
		}
		out = append(out, '}')
	}
	if links.Len() > 0 {
		out = append(out, ']')
	}
	return out, true
}

// appendMap writes a map as encoding/json does: sorted by key, and of equal keys the last. dataStream is added if it is
// not nil.
func (e *spanEncoder) appendMap(out []byte, m pcommon.Map, dataStream []byte) ([]byte, bool) {
	base := len(e.entries)
	defer func() { e.entries = e.entries[:base] }()
	for key, value := range m.All() {
		e.entries = append(e.entries, entry{key: key, value: value})
	}
	if dataStream != nil {
		e.entries = append(e.entries, entry{key: "data_stream", raw: dataStream})
	}
	end := len(e.entries)
	slices.SortStableFunc(e.entries[base:], func(a, b entry) int { return strings.Compare(a.key, b.key) })
	start := len(out)
	for i := base; i < end; i++ {
		one := e.entries[i]
		if i+1 < end && e.entries[i+1].key == one.key {
			continue
		}
		out = append(appendString(append(out, ','), one.key), ':')
		if one.raw != nil {
			out = append(out, one.raw...)
			continue
		}
		var ok bool
		if out, ok = e.appendValue(out, one.value); !ok {
			return out, false
		}
	}
	if len(out) == start {
		return append(out, '{', '}'), true
	}
	out[start] = '{' // instead of the comma
	return append(out, '}'), true
}

func (e *spanEncoder) appendValue(out []byte, value pcommon.Value) ([]byte, bool) {
	switch value.Type() {
	case pcommon.ValueTypeEmpty:
		return append(out, "null"...), true
	case pcommon.ValueTypeStr:
		return appendString(out, value.Str()), true
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(out, value.Bool()), true
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(out, value.Int(), 10), true
	case pcommon.ValueTypeDouble:
		return appendDouble(out, value.Double())
	case pcommon.ValueTypeMap:
		return e.appendMap(out, value.Map(), nil)
	case pcommon.ValueTypeSlice:
		out = append(out, '[')
		for i, element := range value.Slice().All() {
			if i > 0 {
				out = append(out, ',')
			}
			var ok bool
			if out, ok = e.appendValue(out, element); !ok {
				return out, false
			}
		}
		return append(out, ']'), true
	default:
		return out, false // bytes
	}
}

// appendDouble returns false for a number that JSON does not have: the stock code's error is wanted.
func appendDouble(out []byte, value float64) ([]byte, bool) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return out, false
	}
	if size := math.Abs(value); size == 0 || size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(out, value, 'f', -1, 64), true
	}
	out = strconv.AppendFloat(out, value, 'e', -1, 64)
	if n := len(out); out[n-4] == 'e' && out[n-3] == '-' && out[n-2] == '0' { // e-09 is e-9
		out[n-2] = out[n-1]
		out = out[:n-1]
	}
	return out, true
}

func appendCount(out []byte, name string, n uint32) []byte {
	return strconv.AppendUint(append(out, name...), uint64(n), 10)
}

func appendTime(out []byte, at pcommon.Timestamp) []byte {
	out = at.AsTime().AppendFormat(append(out, '"'), time.RFC3339Nano)
	return append(out, '"')
}

func appendText(out []byte, name, text string) []byte {
	if text == "" {
		return out
	}
	return appendString(append(out, name...), text)
}

const hexDigits = "0123456789abcdef"

// plain are the bytes that a JSON string of encoding/json contains as they are.
var plain = func() (table [utf8.RuneSelf]bool) {
	for b := range table {
		table[b] = b >= ' ' && !strings.ContainsRune("\"\\<>&", rune(b))
	}
	return table
}()

// appendString writes a JSON string as encoding/json does, with HTML escaped and invalid UTF-8 replaced.
func appendString(out []byte, text string) []byte {
	out = append(out, '"')
	start := 0
	for i := 0; i < len(text); {
		b := text[i]
		if b < utf8.RuneSelf {
			if !plain[b] {
				out = appendEscape(append(out, text[start:i]...), b)
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(append(out, text[start:i]...), "\ufffd"...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			out = append(append(out, text[start:i]...), `\u202`...)
			out = append(out, hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	return append(append(out, text[start:]...), '"')
}

func appendEscape(out []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(out, '\\', b)
	case '\b':
		return append(out, '\\', 'b')
	case '\f':
		return append(out, '\\', 'f')
	case '\n':
		return append(out, '\\', 'n')
	case '\r':
		return append(out, '\\', 'r')
	case '\t':
		return append(out, '\\', 't')
	default:
		return append(out, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
	}
}
