// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scan

import (
	"strings"
	"sync"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// counter says what a message is counted as.
type counter uint8

const (
	countNothing   counter = iota
	countItem              // a span, data point or log record
	countAttribute         // a key-value pair, or an element of a list in a value
	countLevel             // a map or a list in a value
)

// message describes a message of OTLP.
type message struct {
	fields     [maxNumber + 1]field // by number; those that OTLP does not have are the zero field
	deprecated field
	byName     map[string]*field // in both spellings that JSON allows
}

// field describes a field. The zero field is one that OTLP does not have.
type field struct {
	message *message
	cost    int64 // memory of each occurrence, in addition to its content
	wire    protowire.Type
	kind    protoreflect.Kind // 0: unknown
	list    bool
	counter counter
	idSize  int                               // of trace and span IDs
	enum    protoreflect.EnumValueDescriptors // names of an enum's values
}

// packed reports whether a field holds many numbers.
func (f *field) packed() bool { return f.list && f.message == nil && f.wire != protowire.BytesType }

// maxNumber is the highest field number of OTLP, apart from deprecatedNumber.
const maxNumber = 16

// deprecatedNumber is a second field for the scopes of a resource, which pdata still reads.
const deprecatedNumber = 1000

// field returns the field of a number.
func (m *message) field(number uint64) *field {
	switch {
	case number <= maxNumber:
		return &m.fields[number]
	case number == deprecatedNumber:
		return &m.deprecated
	default:
		return &unknown.fields[0]
	}
}

// unknown is a message of which no field is known.
var unknown = &message{}

// The cost of what the allocator, slices and interfaces add. A slice grows element by element: the old and the new
// array exist together, and the new one has room to spare.
const (
	growthNumerator, growthDenominator = 5, 2

	sizePointerInSlice = 8 * growthNumerator / growthDenominator
	sizeNumberInSlice  = 8 * growthNumerator / growthDenominator
	sizeStringInSlice  = 16 * growthNumerator / growthDenominator
	sizeOfOneof        = 24 // a value behind an interface
	sizeRounding       = 16 // what the allocator adds to a string
)

// structSizes are the sizes of pdata's structs, as the allocator rounds them. A test compares them with pdata.
var structSizes = map[protoreflect.Name]int64{
	"ResourceSpans": 128, "ResourceMetrics": 128, "ResourceLogs": 128,
	"ScopeSpans": 112, "ScopeMetrics": 112, "ScopeLogs": 112,
	"Span": 208, "Event": 64, "Link": 80, "LogRecord": 128, "Metric": 96,
	"NumberDataPoint": 96, "HistogramDataPoint": 160, "ExponentialHistogramDataPoint": 208,
	"SummaryDataPoint": 96, "ValueAtQuantile": 16, "EntityRef": 80,
	"Gauge": 32, "Sum": 32, "Histogram": 32, "ExponentialHistogram": 32, "Summary": 32,
	"ArrayValue": 24, "KeyValueList": 24,
	"KeyValue": 40, "AnyValue": 16, "Exemplar": 80,
}

// inSlice are the messages of which pdata keeps a slice of structs, not of pointers.
var inSlice = map[protoreflect.Name]bool{"KeyValue": true, "AnyValue": true, "Exemplar": true}

// items are the fields whose elements are counted as items.
var items = map[protoreflect.Name]bool{"spans": true, "data_points": true, "log_records": true}

// schema is OTLP as its own descriptors define it.
var schema = sync.OnceValue(func() (roots [Logs + 1]*message) {
	known := map[protoreflect.FullName]*message{}
	roots[Traces] = describe((&trace.TracesData{}).ProtoReflect().Descriptor(), known)
	roots[Metrics] = describe((&metrics.MetricsData{}).ProtoReflect().Descriptor(), known)
	roots[Logs] = describe((&logs.LogsData{}).ProtoReflect().Descriptor(), known)
	return roots
})

// shortestMessage is the size of an empty message in another one: its tag and its length.
const shortestMessage = 2

// worstPerByte returns the highest cost of a byte: of an empty message of the most expensive kind.
var worstPerByte = sync.OnceValue(func() int64 {
	highest := int64(sizeNumberInSlice) // a packed number in one byte
	seen := map[*message]bool{}
	var visit func(*message)
	visit = func(m *message) {
		if m == nil || seen[m] {
			return
		}
		seen[m] = true
		for i := range m.fields {
			highest = max(highest, (m.fields[i].cost+shortestMessage-1)/shortestMessage)
			visit(m.fields[i].message)
		}
	}
	for _, root := range schema() {
		visit(root)
	}
	return highest
})

func describe(d protoreflect.MessageDescriptor, known map[protoreflect.FullName]*message) *message {
	if m, ok := known[d.FullName()]; ok {
		return m
	}
	m := &message{byName: map[string]*field{}}
	known[d.FullName()] = m
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		f := &m.fields[fd.Number()]
		*f = describeField(fd, known)
		m.byName[fd.JSONName()] = f
		m.byName[string(fd.Name())] = f
		if strings.HasPrefix(string(fd.Name()), "scope_") {
			m.deprecated = *f
			m.byName["deprecated_"+string(fd.Name())] = f
			m.byName["deprecated"+strings.ToUpper(fd.JSONName()[:1])+fd.JSONName()[1:]] = f
		}
	}
	return m
}

func describeField(fd protoreflect.FieldDescriptor, known map[protoreflect.FullName]*message) field {
	f := field{kind: fd.Kind(), list: fd.IsList(), wire: wireTypes[fd.Kind()], cost: costOf(fd)}
	switch fd.Kind() {
	case protoreflect.MessageKind:
		f.message = describe(fd.Message(), known)
	case protoreflect.EnumKind:
		f.enum = fd.Enum().Values()
	case protoreflect.BytesKind:
		switch fd.Name() {
		case "trace_id":
			f.idSize = 16
		case "span_id", "parent_span_id":
			f.idSize = 8
		}
	}
	switch {
	case items[fd.Name()]:
		f.counter = countItem
	case f.message == nil:
	case fd.IsList() && (fd.Message().Name() == "KeyValue" || fd.Message().Name() == "AnyValue"):
		f.counter = countAttribute
	case fd.Message().Name() == "ArrayValue" || fd.Message().Name() == "KeyValueList":
		f.counter = countLevel
	}
	return f
}

// costOf returns the memory of each occurrence of a field, in addition to its content.
func costOf(fd protoreflect.FieldDescriptor) int64 {
	var cost int64
	if oneof := fd.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
		cost = sizeOfOneof
	}
	switch fd.Kind() {
	case protoreflect.MessageKind:
		size := structSizes[fd.Message().Name()]
		switch {
		case fd.IsList() && inSlice[fd.Message().Name()]:
			cost += size * growthNumerator / growthDenominator
		case fd.IsList():
			cost += size + sizePointerInSlice
		case cost > 0: // a pointer
			cost += size
		}
	case protoreflect.StringKind, protoreflect.BytesKind:
		cost += sizeRounding
		if fd.IsList() {
			cost += sizeStringInSlice
		}
	default:
		if fd.IsList() {
			cost += sizeNumberInSlice
		}
	}
	return cost
}

var wireTypes = map[protoreflect.Kind]protowire.Type{
	protoreflect.MessageKind: protowire.BytesType, protoreflect.StringKind: protowire.BytesType,
	protoreflect.BytesKind: protowire.BytesType,
	protoreflect.BoolKind:  protowire.VarintType, protoreflect.EnumKind: protowire.VarintType,
	protoreflect.Int32Kind: protowire.VarintType, protoreflect.Int64Kind: protowire.VarintType,
	protoreflect.Uint32Kind: protowire.VarintType, protoreflect.Uint64Kind: protowire.VarintType,
	protoreflect.Sint32Kind:  protowire.VarintType,
	protoreflect.Fixed32Kind: protowire.Fixed32Type, protoreflect.Fixed64Kind: protowire.Fixed64Type,
	protoreflect.Sfixed64Kind: protowire.Fixed64Type, protoreflect.DoubleKind: protowire.Fixed64Type,
}
