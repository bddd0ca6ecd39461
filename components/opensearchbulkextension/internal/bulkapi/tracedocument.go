// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Format is the form of a span's document.
type Format string

// Formats. The first is the exporter's own, Simple Schema for Observability. The second is that of OpenSearch's trace
// views: what Data Prepper writes with `output_format: otel`.
const (
	FormatSS4O   Format = "ss4o"
	FormatOTelV1 Format = "otel-v1"
)

// TraceIndex is the beginning of the names of the indices in which OpenSearch's trace views look for spans.
const TraceIndex = "otel-v1-apm-span"

// shippedTraceIndex is the exporter's name for the index of spans in the shipped configuration.
const shippedTraceIndex = "dify-traces"

// TraceIndexName returns the index name for spans: in the format otel-v1 the shipped one becomes TraceIndex, so that
// one setting chooses both.
func (f Format) TraceIndexName(name string) string {
	if rest, ok := strings.CutPrefix(name, shippedTraceIndex); ok && f == FormatOTelV1 {
		return TraceIndex + rest
	}
	return name
}

// exportedSpan is a span as the exporter writes it. Values that are only passed on stay raw.
type exportedSpan struct {
	TraceID       json.RawMessage            `json:"traceId"`
	SpanID        json.RawMessage            `json:"spanId"`
	ParentSpanID  json.RawMessage            `json:"parentSpanId"`
	TraceState    json.RawMessage            `json:"traceState"`
	Name          json.RawMessage            `json:"name"`
	Kind          string                     `json:"kind"`
	StartTime     string                     `json:"startTime"`
	EndTime       string                     `json:"endTime"`
	Status        exportedStatus             `json:"status"`
	Events        []exportedEvent            `json:"events"`
	Links         []documentLink             `json:"links"`
	Attributes    map[string]json.RawMessage `json:"attributes"`
	Resource      map[string]json.RawMessage `json:"resource"`
	Scope         json.RawMessage            `json:"instrumentationScope"`
	LostAttribute uint32                     `json:"droppedAttributesCount"`
	LostEvents    uint32                     `json:"droppedEventsCount"`
	LostLinks     uint32                     `json:"droppedLinksCount"`
}

type exportedStatus struct {
	Code    string          `json:"code"`
	Message json.RawMessage `json:"message"`
}

type exportedEvent struct {
	Name           json.RawMessage `json:"name"`
	Time           json.RawMessage `json:"@timestamp"`
	Observed       json.RawMessage `json:"observedTimestamp"` // of an event without a time
	Attributes     json.RawMessage `json:"attributes"`
	LostAttributes uint32          `json:"droppedAttributesCount"`
}

// traceDocument is a span in the format otel-v1, field by field as Data Prepper's index template
// `otel-v1-apm-span-index-standard-template` names them.
type traceDocument struct {
	TraceID         json.RawMessage            `json:"traceId"`
	SpanID          json.RawMessage            `json:"spanId"`
	ParentSpanID    json.RawMessage            `json:"parentSpanId"`
	TraceState      json.RawMessage            `json:"traceState"`
	Name            json.RawMessage            `json:"name"`
	Kind            string                     `json:"kind"`
	ServiceName     json.RawMessage            `json:"serviceName"`
	StartTime       string                     `json:"startTime"`
	EndTime         string                     `json:"endTime"`
	DurationInNanos int64                      `json:"durationInNanos"`
	Status          documentStatus             `json:"status"`
	TraceGroup      json.RawMessage            `json:"traceGroup"`
	GroupFields     *traceGroupFields          `json:"traceGroupFields,omitempty"`
	Events          []documentEvent            `json:"events"`
	Links           []documentLink             `json:"links"`
	LostAttributes  uint32                     `json:"droppedAttributesCount"`
	LostEvents      uint32                     `json:"droppedEventsCount"`
	LostLinks       uint32                     `json:"droppedLinksCount"`
	Attributes      map[string]json.RawMessage `json:"attributes"`
	Resource        documentResource           `json:"resource"`
	Scope           json.RawMessage            `json:"instrumentationScope,omitempty"`
	Timestamp       json.RawMessage            `json:"@timestamp"`
	Time            string                     `json:"time"`
}

type documentStatus struct {
	Code    int             `json:"code"`
	Message json.RawMessage `json:"message"`
}

type documentResource struct {
	Attributes map[string]json.RawMessage `json:"attributes"`
}

type documentEvent struct {
	Name           json.RawMessage `json:"name"`
	Time           json.RawMessage `json:"time"`
	Attributes     json.RawMessage `json:"attributes"`
	LostAttributes uint32          `json:"droppedAttributesCount"`
}

type documentLink struct {
	TraceID        json.RawMessage `json:"traceId"`
	SpanID         json.RawMessage `json:"spanId"`
	TraceState     json.RawMessage `json:"traceState"`
	Attributes     json.RawMessage `json:"attributes"`
	LostAttributes uint32          `json:"droppedAttributesCount"`
}

// appendTraceDocument writes a span in the format otel-v1. timestamp is the value for its `@timestamp`; nil keeps the
// span's start. A document that can't be read is written as it is: OpenSearch then rejects only that one.
func appendTraceDocument(out []byte, doc document, timestamp []byte, groups map[string]traceGroup) []byte {
	var span exportedSpan
	if json.Unmarshal(doc.raw, &span) != nil {
		return appendDocument(out, doc, timestamp)
	}
	if timestamp == nil {
		timestamp = doc.value(pathStartTime)
	}
	converted := span.document()
	converted.Timestamp = timestamp
	converted.TraceGroup = emptyText
	if group, known := groups[string(span.TraceID)]; known {
		converted.TraceGroup, converted.GroupFields = group.name, &group.fields
	}
	encoded, err := encodeJSON(converted)
	if err != nil {
		return appendDocument(out, doc, timestamp)
	}
	return append(out, encoded...)
}

func (s *exportedSpan) document() *traceDocument {
	delete(s.Attributes, "data_stream") // the exporter's, not the span's
	if s.Attributes == nil {
		s.Attributes = map[string]json.RawMessage{}
	}
	if s.Resource == nil {
		s.Resource = map[string]json.RawMessage{}
	}
	return &traceDocument{
		TraceID: orEmpty(s.TraceID), SpanID: orEmpty(s.SpanID), ParentSpanID: orEmpty(s.ParentSpanID),
		TraceState: orEmpty(s.TraceState), Name: orEmpty(s.Name),
		Kind:        "SPAN_KIND_" + strings.ToUpper(s.Kind),
		ServiceName: orEmpty(s.Resource["service.name"]),
		StartTime:   s.StartTime, EndTime: s.EndTime, Time: s.StartTime, DurationInNanos: s.duration(),
		Status:         documentStatus{Code: s.Status.number(), Message: orEmpty(s.Status.Message)},
		Events:         s.documentEvents(),
		Links:          s.documentLinks(),
		LostAttributes: s.LostAttribute, LostEvents: s.LostEvents, LostLinks: s.LostLinks,
		Attributes: s.Attributes,
		Resource:   documentResource{Attributes: s.Resource},
		Scope:      s.Scope,
	}
}

func (s *exportedSpan) documentEvents() []documentEvent {
	events := make([]documentEvent, 0, len(s.Events))
	for _, event := range s.Events {
		at := event.Time
		if at == nil {
			at = event.Observed
		}
		events = append(events, documentEvent{
			Name: orEmpty(event.Name), Time: at, Attributes: orEmptyObject(event.Attributes),
			LostAttributes: event.LostAttributes,
		})
	}
	return events
}

func (s *exportedSpan) documentLinks() []documentLink {
	links := make([]documentLink, 0, len(s.Links))
	for _, link := range s.Links {
		link.TraceID, link.SpanID = orEmpty(link.TraceID), orEmpty(link.SpanID)
		link.TraceState, link.Attributes = orEmpty(link.TraceState), orEmptyObject(link.Attributes)
		links = append(links, link)
	}
	return links
}

// duration is the span's, in nanoseconds; 0 if one of its times can't be read.
func (s *exportedSpan) duration() int64 {
	start, err := time.Parse(time.RFC3339Nano, s.StartTime)
	if err != nil {
		return 0
	}
	end, err := time.Parse(time.RFC3339Nano, s.EndTime)
	if err != nil {
		return 0
	}
	return end.Sub(start).Nanoseconds()
}

// number is the status code as OTLP numbers it.
func (s exportedStatus) number() int {
	switch s.Code {
	case "Ok":
		return 1
	case "Error":
		return 2
	default:
		return 0
	}
}

var (
	emptyText   = json.RawMessage(`""`)
	emptyObject = json.RawMessage(`{}`)
)

func orEmpty(value json.RawMessage) json.RawMessage {
	if value == nil {
		return emptyText
	}
	return value
}

// orEmptyObject returns an object also where there is none: the trace views read the members of each.
func orEmptyObject(value json.RawMessage) json.RawMessage {
	if value == nil || string(value) == "null" {
		return emptyObject
	}
	return value
}

// encodeJSON writes a value in one line with its newline. Unlike json.Marshal it leaves `<`, `>` and `&` as they are.
func encodeJSON(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
