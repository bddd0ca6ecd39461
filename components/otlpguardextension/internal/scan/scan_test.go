// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scan

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// everything returns a request that has each field of OTLP.
func everything(signal Signal) request {
	fill := func(m pcommon.Map) {
		m.PutStr("string", "a text")
		m.PutInt("small", 7)
		m.PutInt("negative", -7)
		m.PutDouble("double", 0.5)
		m.PutBool("bool", true)
		m.PutEmptyBytes("bytes").FromRaw([]byte{1, 2, 3})
		m.PutEmpty("empty")
		m.PutEmptyMap("map").PutEmptySlice("list").AppendEmpty().SetStr("deep")
	}
	switch signal {
	case Traces:
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		rs.SetSchemaUrl("https://example.com/schema")
		fill(rs.Resource().Attributes())
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("scope")
		fill(ss.Scope().Attributes())
		span := ss.Spans().AppendEmpty()
		span.SetTraceID([16]byte{1})
		span.SetSpanID([8]byte{2})
		span.SetParentSpanID([8]byte{3})
		span.TraceState().FromRaw("a=b")
		span.SetName("name")
		span.SetKind(ptrace.SpanKindServer)
		span.SetStartTimestamp(1)
		span.SetEndTimestamp(2)
		span.SetFlags(1)
		span.SetDroppedAttributesCount(1)
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage("message")
		fill(span.Attributes())
		fill(span.Events().AppendEmpty().Attributes())
		link := span.Links().AppendEmpty()
		link.SetTraceID([16]byte{4})
		fill(link.Attributes())
		return ptraceotlp.NewExportRequestFromTraces(td)
	case Logs:
		ld := plog.NewLogs()
		record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.SetTimestamp(1)
		record.SetObservedTimestamp(2)
		record.SetSeverityNumber(plog.SeverityNumberError)
		record.SetSeverityText("ERROR")
		record.SetEventName("event")
		record.SetTraceID([16]byte{1})
		record.SetSpanID([8]byte{2})
		record.Body().SetStr("body")
		fill(record.Attributes())
		return plogotlp.NewExportRequestFromLogs(ld)
	default:
		md := pmetric.NewMetrics()
		metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
		exemplar := func(exemplars pmetric.ExemplarSlice) {
			e := exemplars.AppendEmpty()
			e.SetIntValue(3)
			e.SetTraceID([16]byte{1})
			e.SetSpanID([8]byte{2})
			fill(e.FilteredAttributes())
		}
		g := metrics.AppendEmpty()
		g.SetName("gauge")
		g.SetUnit("By")
		g.SetDescription("description")
		fill(g.Metadata())
		point := g.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetDoubleValue(math.Inf(1))
		exemplar(point.Exemplars())
		fill(point.Attributes())
		s := metrics.AppendEmpty().SetEmptySum()
		s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		s.SetIsMonotonic(true)
		s.DataPoints().AppendEmpty().SetIntValue(-1)
		h := metrics.AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty()
		h.BucketCounts().FromRaw([]uint64{1, 2, 3})
		h.ExplicitBounds().FromRaw([]float64{1, 2.5})
		h.SetCount(6)
		h.SetSum(1.5)
		h.SetMin(0.5)
		h.SetMax(2)
		exemplar(h.Exemplars())
		e := metrics.AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		e.SetScale(-2)
		e.SetZeroCount(1)
		e.SetZeroThreshold(0.25)
		e.Positive().SetOffset(-1)
		e.Positive().BucketCounts().FromRaw([]uint64{1, 300, 70000})
		exemplar(e.Exemplars())
		q := metrics.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty().QuantileValues().AppendEmpty()
		q.SetQuantile(0.5)
		q.SetValue(3)
		return pmetricotlp.NewExportRequestFromMetrics(md)
	}
}

func encodings(tb testing.TB, req request) (protobuf, json []byte) {
	protobuf, err := req.MarshalProto()
	require.NoError(tb, err)
	json, err = req.MarshalJSON()
	require.NoError(tb, err)
	return protobuf, json
}

func TestCounts(t *testing.T) {
	// Each filled map has 8 attributes, of which one has one attribute and one element in it.
	const filled = 8 + 2
	for _, tt := range []struct {
		name                string
		signal              Signal
		items, filledTotals int
	}{
		{"traces", Traces, 1, 5},
		{"metrics", Metrics, 5, 5},
		{"logs", Logs, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			protobuf, json := encodings(t, everything(tt.signal))
			for encoding, scan := range map[string]func() (Size, error){
				"protobuf": func() (Size, error) { return Protobuf(tt.signal, protobuf, Unlimited(3)) },
				"json":     func() (Size, error) { return JSON(tt.signal, json, Unlimited(3)) },
			} {
				result, err := scan()
				require.NoError(t, err, encoding)
				assert.Equal(t, tt.items, result.Items, encoding)
				assert.Equal(t, tt.filledTotals*filled, result.Attributes, encoding)
				assert.Positive(t, result.Memory, encoding)
			}
		})
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	for _, signal := range []Signal{Traces, Metrics, Logs} {
		protobuf, json := encodings(t, everything(signal))
		assert.Zero(t, testing.AllocsPerRun(10, func() { _, _ = Protobuf(signal, protobuf, Unlimited(64)) }))
		assert.Zero(t, testing.AllocsPerRun(10, func() { _, _ = JSON(signal, json, Unlimited(64)) }))
	}
}

func TestRecordingPasses(t *testing.T) {
	for _, signal := range []Signal{Traces, Metrics} {
		for _, body := range recording(t, signal) {
			checkProtobuf(t, signal, body)
			req := newRequest(signal)
			require.NoError(t, req.UnmarshalProto(body))
			json, err := req.MarshalJSON()
			require.NoError(t, err)
			checkJSON(t, signal, json)
			_, err = Protobuf(signal, body, Unlimited(64))
			require.NoError(t, err)
			_, err = JSON(signal, json, Unlimited(64))
			require.NoError(t, err)
		}
	}
}

// slack is what decoding may allocate in addition to what Result promises, and what other goroutines of the test do.
const slack = 64 << 10

// checkProtobuf checks what a scan promises: what it accepts is decoded, within twice its estimate.
func checkProtobuf(tb testing.TB, signal Signal, body []byte) {
	result, err := Protobuf(signal, body, Unlimited(64))
	if err != nil {
		return
	}
	worst := Worst(len(body))
	require.NoError(tb, result.Exceeds(worst))
	coarse, err := Coarse(signal, body, Unlimited(64))
	require.NoError(tb, err)
	require.Equal(tb, result.Items, coarse.Items)
	require.LessOrEqual(tb, result.Memory, coarse.Memory)
	require.LessOrEqual(tb, result.Attributes, coarse.Attributes)
	var decodeErr error
	used := allocated(func() { decodeErr = newRequest(signal).UnmarshalProto(body) })
	require.LessOrEqual(tb, used, 2*result.Memory+slack)
	if decodeErr != nil {
		require.ErrorContains(tb, decodeErr, "recursion depth")
	}
}

func checkJSON(tb testing.TB, signal Signal, body []byte) {
	result, err := JSON(signal, body, Unlimited(64))
	if err != nil {
		return
	}
	var decodeErr error
	used := allocated(func() { decodeErr = newRequest(signal).UnmarshalJSON(body) })
	require.NoError(tb, decodeErr)
	require.LessOrEqual(tb, used, 2*result.Memory+slack)
}

// tag and message build requests by hand.
func tag(number int) []byte {
	return protowire.AppendTag(nil, protowire.Number(number), protowire.BytesType)
}

func wrap(number int, content []byte) []byte { return protowire.AppendBytes(tag(number), content) }

// spans returns a request with spans of the content given.
func inSpan(content []byte) []byte { return wrap(1, wrap(2, wrap(2, content))) }

func inScopeSpans(content []byte) []byte { return wrap(1, wrap(2, content)) }

// nested returns an attribute whose value has a depth.
func nested(depth int, asMap bool) []byte {
	// Built from the inside out at the end of a buffer: linear, for a million levels.
	size := 64 * (depth + 1)
	buf := make([]byte, size)
	start := size
	prepend := func(tag byte) {
		length := protowire.AppendVarint(nil, uint64(size-start))
		start -= len(length)
		copy(buf[start:], length)
		start--
		buf[start] = tag
	}
	for range depth {
		if asMap {
			prepend(0x12) // value
			prepend(0x0a) // values
			prepend(0x32) // kvlistValue
		} else {
			prepend(0x0a) // values
			prepend(0x2a) // arrayValue
		}
	}
	return wrap(9, wrap(2, buf[start:]))
}

func nestedJSON(depth int, asMap bool) []byte {
	opening, closing := `{"arrayValue":{"values":[`, `]}}`
	if asMap {
		opening, closing = `{"kvlistValue":{"values":[{"value":`, `}]}}`
	}
	return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":` +
		strings.Repeat(opening, depth) + `{}` + strings.Repeat(closing, depth) + `}]}]}]}]}`)
}

func TestLimits(t *testing.T) {
	emptySpans := inScopeSpans(bytes.Repeat([]byte{0x12, 0}, 1000))
	spansJSON := []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{}` + strings.Repeat(",{}", 999) + `]}]}]}`)
	attributes := inSpan(bytes.Repeat([]byte{0x4a, 0}, 1000))
	attributesJSON := bytes.ReplaceAll(spansJSON, []byte(`"spans":[`), []byte(`"spans":[],"scope":{"attributes":[`))
	attributesJSON = bytes.ReplaceAll(attributesJSON, []byte(`]}]}]}`), []byte(`]}}]}]}`))
	for _, tt := range []struct {
		name     string
		protobuf []byte
		json     []byte
		within   Limits
		beyond   Limits
		err      error
	}{
		{
			name: "items", protobuf: emptySpans, json: spansJSON, err: ErrItems,
			within: Limits{Depth: 1, Size: Size{Items: 1000, Attributes: 1, Memory: math.MaxInt64}},
			beyond: Limits{Depth: 1, Size: Size{Items: 999, Attributes: 1, Memory: math.MaxInt64}},
		},
		{
			name: "attributes", protobuf: attributes, json: attributesJSON, err: ErrAttributes,
			within: Limits{Depth: 1, Size: Size{Items: 1, Attributes: 1000, Memory: math.MaxInt64}},
			beyond: Limits{Depth: 1, Size: Size{Items: 1, Attributes: 999, Memory: math.MaxInt64}},
		},
		{
			name: "memory", protobuf: emptySpans, json: spansJSON, err: ErrMemory,
			within: Limits{Depth: 1, Size: Size{Items: 1000, Memory: 1 << 20}},
			beyond: Limits{Depth: 1, Size: Size{Items: 1000, Memory: 200_000}},
		},
		{
			name: "depth of lists", protobuf: inSpan(nested(10, false)), json: nestedJSON(10, false), err: ErrDepth,
			within: Unlimited(10), beyond: Unlimited(9),
		},
		{
			name: "depth of maps", protobuf: inSpan(nested(10, true)), json: nestedJSON(10, true), err: ErrDepth,
			within: Unlimited(10), beyond: Unlimited(9),
		},
		{
			name: "depth of unknown fields", json: []byte(`{"unknown":[[{"a":[[]]}]]}`), err: ErrDepth,
			within: Unlimited(4), beyond: Unlimited(3),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Protobuf(Traces, tt.protobuf, tt.within)
			require.NoError(t, err)
			if tt.protobuf != nil {
				_, err = Protobuf(Traces, tt.protobuf, tt.beyond)
				require.ErrorIs(t, err, tt.err)
			}
			_, err = JSON(Traces, tt.json, tt.within)
			require.NoError(t, err)
			_, err = JSON(Traces, tt.json, tt.beyond)
			require.ErrorIs(t, err, tt.err)
		})
	}
}

func TestMalformedProtobuf(t *testing.T) {
	for name, body := range map[string][]byte{
		"truncated tag":            {0x8a},
		"truncated length":         {0x0a, 0x80},
		"no length":                {0x0a},
		"truncated message":        {0x0a, 5, 0},
		"length of 2^64-1":         append([]byte{0x0a}, protowire.AppendVarint(nil, math.MaxUint64)...),
		"endless varint":           append([]byte{0x0a}, bytes.Repeat([]byte{0xff}, 1000)...),
		"field number 0":           {0x02, 0},
		"field number 0, long tag": {0x82, 0x80, 0},
		"wrong wire type":          {0x08, 0},
		"text where a number is":   inSpan([]byte{0x3a, 0}),
		"number where a text is":   inSpan([]byte{0x28, 0}),
		"wrong wire type of IDs":   inSpan([]byte{0x08, 0}),
		"short trace ID":           inSpan([]byte{0x0a, 1, 0}),
		"long span ID":             inSpan([]byte{0x12, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
		"truncated fixed64":        inSpan([]byte{0x39, 0}),
		"group":                    {0x9b, 0x06, 0x9c, 0x06},
		"end of a group":           {0x9c, 0x06},
		"illegal wire type":        {0x9f, 0x06},
		"truncated unknown":        {0x9a, 0x06, 9},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Protobuf(Traces, body, Unlimited(64))
			require.ErrorIs(t, err, ErrMalformed)
		})
	}
}

func TestMalformedJSON(t *testing.T) {
	inSpan := func(content string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{` + content + `}]}]}]}`
	}
	for name, body := range map[string]string{
		"empty":                      ``,
		"not an object":              `[]`,
		"truncated":                  `{"resourceSpans":[`,
		"truncated string":           `{"resourceSpans`,
		"truncated escape":           `{"a\`,
		"truncated unicode escape":   `{"a\u12`,
		"no colon":                   `{"a"1}`,
		"no comma":                   `{"a":1 "b":2}`,
		"comma at the end":           `{"a":1,}`,
		"key without quotes":         `{a:1}`,
		"unknown word":               `{"a":nil}`,
		"control character":          "{\"a\":\"\n\"}",
		"illegal escape":             `{"a":"\x00"}`,
		"illegal unicode escape":     `{"a":"\u00g0"}`,
		"empty key":                  `{"resourceSpans":[{"":[{},{},{}]}]}`,
		"object where an array is":   `{"resourceSpans":{}}`,
		"array where an object is":   `{"resourceSpans":[[]]}`,
		"text where an array is":     `{"resourceSpans":""}`,
		"negative time":              inSpan(`"startTimeUnixNano":-5`),
		"negative time in quotes":    inSpan(`"startTimeUnixNano":"-5"`),
		"exponent in an integer":     inSpan(`"startTimeUnixNano":1e5`),
		"fraction in an integer":     inSpan(`"startTimeUnixNano":1.0`),
		"leading zero":               inSpan(`"startTimeUnixNano":01`),
		"array where a number is":    inSpan(`"startTimeUnixNano":[1]`),
		"time beyond 64 bits":        inSpan(`"startTimeUnixNano":18446744073709551616`),
		"count beyond 32 bits":       inSpan(`"droppedAttributesCount":4294967296`),
		"null where a number is":     inSpan(`"flags":null`),
		"unknown kind":               inSpan(`"kind":"SPAN_KIND_OTHER"`),
		"odd hex":                    inSpan(`"traceId":"0"`),
		"short trace ID":             inSpan(`"traceId":"00"`),
		"trace ID that is not hex":   inSpan(`"traceId":"0000000000000000000000000000000g"`),
		"quote in a trace ID":        inSpan(`"traceId":"000000000000000000000000000000\"0"`),
		"null where an ID is":        inSpan(`"spanId":null`),
		"text where a bool is":       inSpan(`"attributes":[{"value":{"boolValue":"true"}}]`),
		"bytes that are not base64":  inSpan(`"attributes":[{"value":{"bytesValue":"!"}}]`),
		"padding within base64":      inSpan(`"attributes":[{"value":{"bytesValue":"AA==AAAA"}}]`),
		"double beyond its range":    inSpan(`"attributes":[{"value":{"doubleValue":1e999}}]`),
		"double that is not one":     inSpan(`"attributes":[{"value":{"doubleValue":"x"}}]`),
		"number of a million digits": `{"a":` + strings.Repeat("1", 1_000_000) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := JSON(Traces, []byte(body), Unlimited(64))
			require.ErrorIs(t, err, ErrMalformed)
		})
	}
}

func TestValidJSON(t *testing.T) {
	inSpan := func(content string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{` + content + `}]}]}]}`
	}
	for name, body := range map[string]string{
		"null":                 `null`,
		"whitespace":           " {\t\"resourceSpans\" :\r\n[ ] } ",
		"what follows":         `{}]]]`,
		"null everywhere":      `{"resourceSpans":[{"resource":null,"scopeSpans":[null,{"spans":null}],"schemaUrl":null}]}`,
		"snake case":           `{"resource_spans":[{"scope_spans":[{"spans":[{"start_time_unix_nano":"1"}]}]}]}`,
		"escaped key":          `{"resource\u0053pans":[{}]}`,
		"duplicate keys":       inSpan(`"name":"a","name":"b","attributes":[{}],"attributes":[{}]`),
		"unknown fields":       inSpan(`"x":{"":[true,false,null,-0.5e3,0.25,"\ud800\"\\",{"y":{}}]}`),
		"numbers in quotes":    inSpan(`"flags":"1","startTimeUnixNano":"18446744073709551615"`),
		"enum by name":         inSpan(`"kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_OK"}`),
		"double not a number":  inSpan(`"attributes":[{"value":{"doubleValue":"NaN"}}]`),
		"infinite double":      inSpan(`"attributes":[{"value":{"doubleValue":"-Infinity"}}]`),
		"base64":               inSpan(`"attributes":[{"value":{"bytesValue":"` + strings.Repeat("AAAA", 2000) + `AA=="}}]`),
		"escapes":              inSpan(`"name":"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00"`),
		"text over word sizes": inSpan(`"name":"0123456789äöü\"0123456","traceState":"01234567"`),
		"long key":             `{"` + strings.Repeat(`\u0061`, 1000) + `":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := JSON(Traces, []byte(body), Unlimited(64))
			require.NoError(t, err)
			checkJSON(t, Traces, []byte(body))
		})
	}
}

func TestEscapedKeyIsCounted(t *testing.T) {
	result, err := JSON(Traces, []byte(`{"resource\u0053pans":[{"scopeSpans":[{"span\u0073":[{},{}]}]}]}`), Unlimited(64))
	require.NoError(t, err)
	assert.Equal(t, 2, result.Items)
}

func TestMillionLevels(t *testing.T) {
	_, err := Protobuf(Traces, inSpan(nested(1_000_000, false)), Unlimited(64))
	require.ErrorIs(t, err, ErrDepth)
	_, err = JSON(Traces, nestedJSON(1_000_000, false), Unlimited(64))
	require.ErrorIs(t, err, ErrDepth)
}

func TestMaxProtobufDepth(t *testing.T) {
	for _, asMap := range []bool{false, true} {
		err := newRequest(Traces).UnmarshalProto(inSpan(nested(MaxProtobufDepth+1, asMap)))
		require.ErrorContains(t, err, "recursion depth")
	}
	require.NoError(t, newRequest(Traces).UnmarshalProto(inSpan(nested(MaxProtobufDepth-2, false))))
}

// TestSizes compares the sizes with those of pdata's structs.
func TestSizes(t *testing.T) {
	compared := 0
	structs := map[string]reflect.Type{}
	var collect func(reflect.Type)
	collect = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			collect(typ.Elem())
		case reflect.Struct:
			if _, ok := structs[typ.Name()]; ok {
				return
			}
			structs[typ.Name()] = typ
			for field := range typ.Fields() {
				collect(field.Type)
			}
		}
	}
	for _, req := range []any{
		ptraceotlp.ExportRequest{}, pmetricotlp.ExportRequest{}, plogotlp.ExportRequest{},
	} {
		collect(reflect.TypeOf(req).Field(0).Type)
	}
	for name, size := range structSizes {
		typ := structs[string(name)]
		if typ == nil {
			typ = structs[map[protoreflect.Name]string{"Event": "SpanEvent", "Link": "SpanLink"}[name]]
		}
		if typ == nil { // behind an interface, which reflection does not see through: the fuzz targets measure them
			continue
		}
		compared++
		assert.LessOrEqual(t, int64(typ.Size()), size, name)
		assert.GreaterOrEqual(t, int64(typ.Size())*3/2, size, name)
	}
	assert.GreaterOrEqual(t, compared, 14)
}
