// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/opensearchexporter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configmiddleware"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
)

// passOn is a middleware that does nothing. With one, the exporter writes its requests directly
// (tools/adaptexporter/added); without, the stock code does.
type passOn struct{ component.Component }

func (passOn) GetHTTPRoundTripper(context.Context) (extensionmiddleware.WrapHTTPRoundTripperFunc, error) {
	return func(_ context.Context, base http.RoundTripper) (http.RoundTripper, error) { return base, nil }, nil
}

type hostWith map[component.ID]component.Component

func (h hostWith) GetExtensions() map[component.ID]component.Component { return h }

// bulkNode records the bodies of bulk requests and responds with a status for each item.
type bulkNode struct {
	*httptest.Server

	mu     sync.Mutex
	status func(item int) int // guarded by mu, as bodies; nil: the request fails
	bodies [][]byte
}

func newBulkNode(t *testing.T) *bulkNode {
	t.Helper()
	n := &bulkNode{}
	n.Server = httptest.NewServer(n)
	t.Cleanup(n.Close)
	return n
}

func (n *bulkNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	n.bodies = append(n.bodies, body)
	if n.status == nil {
		http.Error(w, `{"error":{"type":"x","reason":"y"},"status":400}`, http.StatusBadRequest)
		return
	}
	var items []string
	failed := false
	for i := range bytes.Count(body, []byte{'\n'}) / 2 {
		item := fmt.Sprintf(`{"create":{"status":%d}}`, n.status(i))
		if n.status(i) > 201 {
			item = fmt.Sprintf(`{"create":{"status":%d,"error":{"type":"t%d","reason":"r"}}}`, n.status(i), i)
			failed = true
		}
		items = append(items, item)
	}
	_, _ = fmt.Fprintf(w, `{"took":1,"errors":%t,"items":[%s]}`, failed, strings.Join(items, ","))
}

// push returns the requests that an exporter sends for a batch, and its error.
func (n *bulkNode) push(t *testing.T, to exporter.Traces, td ptrace.Traces) ([][]byte, error) {
	t.Helper()
	err := to.ConsumeTraces(t.Context(), td)
	n.mu.Lock()
	defer n.mu.Unlock()
	bodies := n.bodies
	n.bodies = nil
	return bodies, err
}

func startExporter(t *testing.T, node *bulkNode, direct bool, set func(*opensearchexporter.Config)) exporter.Traces {
	t.Helper()
	factory := opensearchexporter.NewFactory()
	cfg := factory.CreateDefaultConfig().(*opensearchexporter.Config)
	cfg.Endpoint, cfg.TracesIndex = node.URL, "dify-traces"
	cfg.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	cfg.Enabled = false
	host := hostWith{}
	if direct {
		id := component.MustNewID("pass_on")
		host[id] = passOn{}
		cfg.Middlewares = []configmiddleware.Config{{ID: id}}
	}
	set(cfg)
	started, err := factory.CreateTraces(t.Context(), exportertest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, started.Start(t.Context(), host))
	t.Cleanup(func() { assert.NoError(t, started.Shutdown(context.WithoutCancel(t.Context()))) })
	return started
}

// TestDirectRequestsAreTheStockOnes compares, byte by byte, what the exporter sends with a middleware with what the
// stock code sends, for the recorded spans and for made-up ones.
func TestDirectRequestsAreTheStockOnes(t *testing.T) {
	node := newBulkNode(t)
	node.status = func(int) int { return http.StatusCreated }
	for name, set := range map[string]func(*opensearchexporter.Config){
		"default":        func(*opensearchexporter.Config) {},
		"no data stream": func(c *opensearchexporter.Config) { c.Dataset, c.Namespace = "", "" },
		"index":          func(c *opensearchexporter.Config) { c.BulkAction, c.TracesIndex = "index", `a"<é` },
	} {
		t.Run(name, func(t *testing.T) {
			stock, direct := startExporter(t, node, false, set), startExporter(t, node, true, set)
			batches := append(recordings.TracesNow(t), oddSpans(rand.New(rand.NewPCG(1, 2))), ptrace.NewTraces())
			spans := 0
			for _, td := range batches {
				want, wantErr := node.push(t, stock, td)
				got, err := node.push(t, direct, td)
				require.Equal(t, asText(want), asText(got))
				if wantErr == nil {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, wantErr.Error())
				}
				spans += td.SpanCount()
			}
			assert.Greater(t, spans, 7709)
		})
	}
}

func asText(bodies [][]byte) []string {
	var out []string
	for _, body := range bodies {
		out = append(out, strings.Split(string(body), "\n")...)
	}
	return out
}

// Large batches are more than one request.
func TestDirectRequestsAreSplit(t *testing.T) {
	node := newBulkNode(t)
	node.status = func(int) int { return http.StatusCreated }
	none := func(*opensearchexporter.Config) {}
	td := ptrace.NewTraces()
	for range 60 {
		span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetName(strings.Repeat("x", 200_000))
	}
	want, err := node.push(t, startExporter(t, node, false, none), td)
	require.NoError(t, err)
	got, err := node.push(t, startExporter(t, node, true, none), td)
	require.NoError(t, err)
	require.Len(t, want, 3)
	assert.Equal(t, asText(want), asText(got))
}

// What fails is reported as by the stock code: the spans to send again, and whether the error is permanent.
func TestDirectFailuresAreTheStockOnes(t *testing.T) {
	node := newBulkNode(t)
	none := func(*opensearchexporter.Config) {}
	stock, direct := startExporter(t, node, false, none), startExporter(t, node, true, none)
	td := oddSpans(rand.New(rand.NewPCG(3, 4)))
	for name, status := range map[string]func(int) int{
		"some": func(i int) int {
			return []int{201, 429, 400, 201, 503}[i%5]
		},
		"all":     func(int) int { return http.StatusTooManyRequests },
		"request": nil,
	} {
		t.Run(name, func(t *testing.T) {
			node.status = status
			_, want := node.push(t, stock, td)
			_, got := node.push(t, direct, td)
			require.Error(t, want)
			require.Error(t, got)
			assert.Equal(t, consumererror.IsPermanent(want), consumererror.IsPermanent(got))
			if status != nil {
				assert.Equal(t, want.Error(), got.Error())
				assert.Equal(t, againOf(t, want), againOf(t, got))
			}
		})
	}
}

// againOf returns the spans that an error says to send again, first to last.
func againOf(t *testing.T, err error) []string {
	t.Helper()
	var names []string
	var walk func(error)
	walk = func(err error) {
		if traces, ok := err.(consumererror.Traces); ok { //nolint:errorlint // each error of the tree is looked at
			recordings.EachSpan(traces.Data(), func(_ string, span ptrace.Span) { names = append(names, span.Name()) })
			return
		}
		switch err := err.(type) { //nolint:errorlint // as above
		case interface{ Unwrap() []error }:
			for _, one := range err.Unwrap() {
				walk(one)
			}
		case interface{ Unwrap() error }:
			walk(err.Unwrap())
		}
	}
	walk(err)
	return names
}

// oddSpans has what the recordings do not: each type of value, nested, with texts and numbers that JSON has special
// forms for, and values that JSON does not have.
func oddSpans(random *rand.Rand) ptrace.Traces {
	td := ptrace.NewTraces()
	for n := range 300 {
		rs := td.ResourceSpans().AppendEmpty()
		rs.SetSchemaUrl(oddText(random))
		fillOdd(random, rs.Resource().Attributes(), 2)
		ss := rs.ScopeSpans().AppendEmpty()
		ss.SetSchemaUrl(oddText(random))
		ss.Scope().SetName(oddText(random))
		ss.Scope().SetVersion(oddText(random))
		ss.Scope().SetDroppedAttributesCount(random.Uint32N(3))
		if n%3 == 0 {
			fillOdd(random, ss.Scope().Attributes(), 1)
		}
		for k := range random.IntN(4) {
			span := ss.Spans().AppendEmpty()
			span.SetName(fmt.Sprintf("%d-%d%s", n, k, oddText(random)))
			span.SetKind(ptrace.SpanKind(random.IntN(7))) // 6 is none
			span.SetStartTimestamp(pcommon.Timestamp(random.Uint64() >> random.IntN(64)))
			span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Unix(int64(random.IntN(1<<31)), 0)))
			span.SetTraceID(pcommon.TraceID{byte(n), byte(k)})
			span.SetSpanID(pcommon.SpanID{byte(k)})
			span.SetParentSpanID(pcommon.SpanID{byte(random.IntN(2))})
			span.Status().SetCode(ptrace.StatusCode(random.IntN(4)))
			span.Status().SetMessage(oddText(random))
			span.TraceState().FromRaw(oddText(random))
			span.SetDroppedAttributesCount(random.Uint32N(3))
			span.SetDroppedEventsCount(random.Uint32())
			span.SetDroppedLinksCount(random.Uint32N(3))
			fillOdd(random, span.Attributes(), 3)
			for range random.IntN(3) {
				event := span.Events().AppendEmpty()
				event.SetName(oddText(random))
				event.SetDroppedAttributesCount(random.Uint32N(3))
				event.SetTimestamp(pcommon.Timestamp(1_000_000_000 + random.Uint64N(math.MaxInt64))) // not the time of this test
				fillOdd(random, event.Attributes(), 1)
			}
			for range random.IntN(3) {
				link := span.Links().AppendEmpty()
				link.SetTraceID(pcommon.TraceID{byte(random.IntN(2))})
				link.SetSpanID(pcommon.SpanID{byte(random.IntN(2))})
				link.TraceState().FromRaw(oddText(random))
				link.SetDroppedAttributesCount(random.Uint32N(2))
				fillOdd(random, link.Attributes(), 1)
			}
		}
	}
	return td
}

func fillOdd(random *rand.Rand, m pcommon.Map, depth int) {
	for range random.IntN(6) {
		setOdd(random, m.PutEmpty(oddText(random)), depth)
	}
	if random.IntN(20) == 0 {
		m.PutStr("data_stream", "not ours")
	}
}

func setOdd(random *rand.Rand, v pcommon.Value, depth int) {
	switch kind := random.IntN(40); {
	case kind < 12:
		v.SetStr(oddText(random))
	case kind < 16:
		v.SetInt(random.Int64() - random.Int64())
	case kind < 20:
		v.SetBool(kind%2 == 0)
	case kind < 30:
		numbers := []float64{
			0, math.Copysign(0, -1), 1, -2.5, 1e-6, 9.9e-7, 1e-9, 1e20, 1e21, -1.5e300, 5e-324, math.MaxFloat64,
			random.NormFloat64(), 0.1, 100, 1e-10, 123456789.125,
		}
		v.SetDouble(numbers[random.IntN(len(numbers))])
	case kind < 33 && depth > 0:
		fillOdd(random, v.SetEmptyMap(), depth-1)
	case kind < 36 && depth > 0:
		slice := v.SetEmptySlice()
		for range random.IntN(4) {
			setOdd(random, slice.AppendEmpty(), depth-1)
		}
	case kind == 36:
		v.SetEmptyBytes().FromRaw([]byte(oddText(random)))
	case kind == 37:
		v.SetDouble([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}[random.IntN(3)])
	}
}

func oddText(random *rand.Rand) string {
	pieces := []string{
		"a", "key", "é", "世", "\u2028", "\u2029", "\u2027", "<b>", "&", "\"", "\\", "\n", "\r\t", "\b\f", "\x00", "\x1f", "\x7f",
		"\xff", "\xc3", "\xed\xa0\x80", "😀", "\ufffd", "/", "'", "a.b",
	}
	var text strings.Builder
	for range random.IntN(4) {
		text.WriteString(pieces[random.IntN(len(pieces))])
	}
	return text.String()
}
