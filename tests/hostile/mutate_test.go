// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bufio"
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
)

// mutator makes inputs from the recordings and from the hostile cases.
type mutator struct {
	*rand.Rand
	traces, metrics, lines []string
}

// message is a mutated request.
type message struct {
	signal string // traces, metrics or logs
	kind   string // json or protobuf
	body   []byte
}

func newMutator(t *testing.T, seed uint64) *mutator {
	t.Helper()
	m := &mutator{Rand: rand.New(rand.NewPCG(seed, 0))}
	m.traces = append(recordings.Lines(t, recordings.Traces), recordings.Lines(t, recordings.WorkTraces)...)
	m.metrics = recordings.Lines(t, recordings.Metrics)
	for _, name := range []string{"recordings/api.log.gz", "recordings/worker.log.gz"} {
		file, err := os.Open(recordings.Unzipped(t, name))
		require.NoError(t, err)
		scanner := bufio.NewScanner(file)
		for scanner.Scan() {
			m.lines = append(m.lines, scanner.Text())
		}
		require.NoError(t, scanner.Err())
		require.NoError(t, file.Close())
	}
	return m
}

func pick[T any](m *mutator, list []T) T { return list[m.IntN(len(list))] }

// next returns a mutated sample: its JSON or its bytes, or a hostile case of a random size.
func (m *mutator) next(t *testing.T) message {
	t.Helper()
	if m.IntN(8) == 0 {
		return m.hostile()
	}
	signal := pick(m, []string{"traces", "traces", "metrics", "metrics", "logs"})
	text := m.sample(t, signal)
	for range m.IntN(6) {
		text = m.changeToken(text)
	}
	if m.IntN(2) == 0 {
		if m.IntN(3) == 0 {
			text = m.changeBytes(text)
		}
		return message{signal, json, text}
	}
	body, err := toProtobuf(signal, text)
	if err != nil { // what JSON can't have; its bytes then are the mutation
		body, err = toProtobuf(signal, m.sample(t, signal))
		require.NoError(t, err)
		body = m.changeBytes(body)
	}
	if m.IntN(3) == 0 {
		body = m.changeBytes(body)
	}
	return message{signal, protobuf, body}
}

// sample returns a few items of a recording.
func (m *mutator) sample(t *testing.T, signal string) []byte {
	t.Helper()
	keep := 1 + m.IntN(5)
	switch signal {
	case "traces":
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(pick(m, m.traces)))
		require.NoError(t, err)
		left := td.SpanCount()
		for _, resource := range td.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				scope.Spans().RemoveIf(func(ptrace.Span) bool {
					left--
					return m.IntN(left+1) >= keep
				})
			}
		}
		text, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalJSON()
		require.NoError(t, err)
		return text
	case "metrics":
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics([]byte(pick(m, m.metrics)))
		require.NoError(t, err)
		left := md.MetricCount()
		for _, resource := range md.ResourceMetrics().All() {
			for _, scope := range resource.ScopeMetrics().All() {
				scope.Metrics().RemoveIf(func(pmetric.Metric) bool {
					left--
					return m.IntN(left+1) >= keep
				})
			}
		}
		text, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalJSON()
		require.NoError(t, err)
		return text
	}
	var records []string
	for range keep {
		records = append(records, fmt.Sprintf(`{"timeUnixNano":"%d","severityNumber":17,"body":{"stringValue":%s},`+
			`"attributes":[{"key":"log.iostream","value":{"stringValue":"stdout"}}]}`, m.Uint64(), quote(pick(m, m.lines))))
	}
	return []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + strings.Join(records, ",") + `]}]}]}`)
}

func toProtobuf(signal string, text []byte) ([]byte, error) {
	switch signal {
	case "traces":
		req := ptraceotlp.NewExportRequest()
		if err := req.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		return req.MarshalProto()
	case "metrics":
		req := pmetricotlp.NewExportRequest()
		if err := req.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		return req.MarshalProto()
	}
	req := plogotlp.NewExportRequest()
	if err := req.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	return req.MarshalProto()
}

func quote(text string) string {
	quoted, _ := stdjson.Marshal(text) //nolint:errchkjson // a string
	return string(quoted)
}

var (
	token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?\d[0-9.eE+-]*|true|false|null`)

	// fieldName matches the fields of OTLP in JSON, whose change leaves a value out.
	fieldName = regexp.MustCompile(`^(resource|scope|data|log|span|trace|parent|start|end|time|observed|bucket|explicit|` +
		`aggregation|is|dropped)[A-Za-z]*$|^(key|value|name|kind|status|code|attributes|events|links|sum|gauge|histogram|` +
		`metrics|spans|count|min|max|unit|version|message|description|schemaUrl|flags|body|severityNumber|asInt|asDouble|` +
		`values)$`)

	oddNumbers = []string{"0", "1", "2", "7", "99", "4294967295", "9223372036854775807", "1700000000000000000", "1", "3"}
	oddNames   = []string{
		`""`, `"le"`, `"quantile"`, `"job"`, `"instance"`, `"a.b"`, `"a_b"`, `"_"`, `"метрика"`, `"data_stream"`,
		`"dify.arrival_time"`, `"@timestamp"`, `"service.instance.id"`, `"process.pid"`, `"exception"`, `"exception.message"`,
		`"exception.stacktrace"`, `"http.status_code"`, `"db.statement"`, `"gen_ai.prompt"`, `"dify.limited"`,
	}
	oddTokens = []string{
		"0", "-1", "-5", "1e400", "18446744073709551615", `"18446744073709551615"`, `"9223372036854775808"`, `"-1"`, `"NaN"`,
		`"Infinity"`, "null", "true", "[]", "{}", `"exception"`, `{"stringValue":"x"}`,
		`{"arrayValue":{"values":[{},{"kvlistValue":{}}]}}`, `{"intValue":"-9223372036854775808"}`, `{"doubleValue":"NaN"}`,
		`{"bytesValue":"AAEC/w=="}`, `["1"]`, `[1,2]`, `[2,1]`, `"00000000000000000000000000000000"`,
	}
	oddTexts = []string{
		"{{{{", "[[[[", "\r", "\n", `\"`, "[SQL: [parameters: ", "Traceback (most recent call last):\n", "  File \"", "9",
		"sk-proj-", "password=", "'", `"`, "/*", "--", "://a:b@", "\x01", "日本", "\u202e", "eyJhbGciOi", "2064-01-01 00:00:00,000 ",
	}
)

// changeToken replaces a value or a name in JSON.
func (m *mutator) changeToken(text []byte) []byte {
	tokens := token.FindAllIndex(text, -1)
	if len(tokens) == 0 {
		return text
	}
	at := pick(m, tokens)
	with := pick(m, oddTokens)
	if m.IntN(8) > 0 { // mostly of the same kind: what has another one is rejected at once
		with = m.alike(string(text[at[0]:at[1]]))
	}
	return bytes.Join([][]byte{text[:at[0]], []byte(with), text[at[1]:]}, nil)
}

// alike returns another value of a token's kind.
func (m *mutator) alike(old string) string {
	switch content := strings.Trim(old, `"`); {
	case content != "" && strings.Trim(content, "0123456789") == "":
		return strings.Replace(old, content, pick(m, oddNumbers), 1)
	case content != "" && strings.Trim(content, "0123456789abcdef") == "":
		return old // an ID
	case old[0] != '"' || fieldName.MatchString(content) || strings.HasSuffix(content, "Value"):
		return old
	}
	if m.IntN(2) == 0 {
		return pick(m, oddNames)
	}
	return quote(m.oddText())
}

// oddText returns what costs a scanner most: usually short, sometimes longer than the limit for a string.
func (m *mutator) oddText() string {
	size := 1 << m.IntN(12)
	if m.IntN(40) == 0 {
		size = 1 << (16 + m.IntN(6))
	}
	part := pick(m, oddTexts)
	if m.IntN(2) == 0 {
		part += pick(m, oddTexts)
	}
	return strings.Repeat(part, size/len(part)+1)
}

// changeBytes flips, cuts, repeats and inserts bytes.
func (m *mutator) changeBytes(body []byte) []byte {
	body = bytes.Clone(body)
	for range 1 + m.IntN(4) {
		if len(body) == 0 {
			return body
		}
		at := m.IntN(len(body))
		end := min(len(body), at+1+m.IntN(64))
		switch m.IntN(5) {
		case 0:
			body[at] ^= 1 << m.IntN(8)
		case 1:
			body = append(body[:at], body[end:]...)
		case 2:
			body = bytes.Join([][]byte{body[:end], body[at:]}, nil)
		case 3:
			odd := pick(m, []string{"\xff", "\xff\xff\xff\xff\x0f", "\x80", "\x00", "{{{{", "[[[[", `\u`, "\xed\xa0\x80", "\x0a\xff\x7f"})
			body = bytes.Join([][]byte{body[:at], []byte(odd), body[at:]}, nil)
		default:
			if m.IntN(4) == 0 {
				body = body[:at]
			}
		}
	}
	return body
}

// line returns a log line, mutated. It is valid UTF-8, as what Docker sends.
func (m *mutator) line() string {
	text := []byte(pick(m, m.lines))
	switch m.IntN(3) {
	case 0:
		text = m.changeBytes(text)
	case 1:
		text = append(text, m.oddText()...)
	}
	if len(text) > 16<<10 { // Docker cuts there
		text = text[:16<<10]
	}
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	}
	return string(text)
}

// hostile returns one of the cases, with a random size.
func (m *mutator) hostile() message {
	n := 1 << m.IntN(10)
	if m.IntN(20) == 0 {
		n = 1 << (10 + m.IntN(8))
	}
	kind := pick(m, []string{json, protobuf})
	traces := func(text string) message { return converted("traces", kind, spanJSON(text)) }
	switch m.IntN(9) {
	case 0:
		counts, bounds := pick(m, []string{`["1"]`, `[]`, `["1","2","3"]`}), pick(m, []string{`[]`, `[1,2]`, `[2,1]`, `["NaN",1]`})
		return converted("metrics", kind, histogram(counts, bounds))
	case 1:
		return message{"traces", protobuf, inSpan(nested(n, m.IntN(2) == 0))}
	case 2:
		return message{"traces", json, nestedJSON(n)}
	case 3:
		return message{"traces", protobuf, inScope(repeat("\x12\x00", min(n, 4096)))} // each one is a document
	case 4:
		return message{"traces", protobuf, inSpan(text(n << 4))}
	case 5: // of many days, one after the other
		times := make([]string, 0, n)
		for i := range min(n, 100) {
			times = append(times, fmt.Sprintf(`{"traceId":"%032x","spanId":"%016x","startTimeUnixNano":"%d"}`,
				m.Uint64()|1, m.Uint64()|1, uint64(i)*86_400_000_000_000*uint64(1+m.IntN(300))))
		}
		return converted("traces", kind, []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[`+strings.Join(times, ",")+`]}]}]}`))
	case 6:
		event := `{"name":"exception","attributes":[{"key":"exception.type","value":{"stringValue":"E"}}]}`
		return traces(`"events":[` + strings.TrimSuffix(strings.Repeat(event+",", n), ",") + `]`)
	case 7:
		return traces(`"events":[{"name":"exception","attributes":[{"key":"exception.message","value":{"stringValue":` +
			quote(strings.Repeat(pick(m, oddTexts), n)) + `}}]}]`)
	}
	point := `{"asInt":"1","timeUnixNano":"2","attributes":[` +
		`{"key":"le","value":{"intValue":"1"}},{"key":"a.b","value":{}},{"key":"a_b","value":{}}]}`
	name := pick(m, []string{"_", "", "метрика", "a.b", "le", "good\xff", "0", "target_info", "up"})
	return converted("metrics", kind, fmt.Appendf(nil, `{"resourceMetrics":[{"resource":{"attributes":[`+
		`{"key":"service.instance.id","value":{"stringValue":"%d"}}]},"scopeMetrics":[{"metrics":[{"name":"%s","sum":`+
		`{"aggregationTemporality":%d,"isMonotonic":true,"dataPoints":[%s]}}]}]}]}`, m.Uint64(), name, m.IntN(4), point))
}

// converted returns a message in protobuf, if asked for and possible.
func converted(signal, kind string, text []byte) message {
	if kind == protobuf {
		if body, err := toProtobuf(signal, text); err == nil {
			return message{signal, protobuf, body}
		}
	}
	return message{signal, json, text}
}
