// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/admission"
)

func tracesWith(spans int) ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "api")
	slice := rs.ScopeSpans().AppendEmpty().Spans()
	for range spans {
		span := slice.AppendEmpty()
		span.SetName("GET")
		span.Attributes().PutStr("http.method", "GET")
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

func metricsWith(points int) pmetricotlp.ExportRequest {
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	slice := metrics.AppendEmpty().SetEmptyGauge().DataPoints()
	for range points {
		slice.AppendEmpty().SetIntValue(1)
	}
	return pmetricotlp.NewExportRequestFromMetrics(md)
}

func logsWith(records int) plogotlp.ExportRequest {
	ld := plog.NewLogs()
	slice := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range records {
		slice.AppendEmpty().Body().SetStr("text")
	}
	return plogotlp.NewExportRequestFromLogs(ld)
}

type marshaler interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

func encode(t *testing.T, req marshaler, contentType string) []byte {
	t.Helper()
	body, err := req.MarshalProto()
	if contentType == contentTypeJSON {
		body, err = req.MarshalJSON()
	}
	require.NoError(t, err)
	return body
}

func compress(t *testing.T, encoding string, body []byte) []byte {
	t.Helper()
	var compressed bytes.Buffer
	var w io.WriteCloser = struct {
		io.Writer
		io.Closer
	}{&compressed, io.NopCloser(nil)}
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&compressed)
	case "zstd":
		var err error
		w, err = zstd.NewWriter(&compressed)
		require.NoError(t, err)
	}
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return compressed.Bytes()
}

func TestHTTPPasses(t *testing.T) {
	var items []int
	r := newRig(t, nil)
	r.consume = func(_ context.Context, n int) error {
		items = append(items, n)
		return nil
	}
	for _, signal := range []struct {
		path string
		req  marshaler
	}{
		{"/v1/traces", tracesWith(3)},
		{"/v1/metrics", metricsWith(3)},
		{"/v1/logs", logsWith(3)},
	} {
		for _, contentType := range []string{contentTypeProtobuf, contentTypeJSON, contentTypeJSON + "; charset=utf-8"} {
			for _, encoding := range []string{"", "gzip", "zstd"} {
				items = nil
				base, _, _ := strings.Cut(contentType, ";")
				body := compress(t, encoding, encode(t, signal.req, base))
				resp := r.post(signal.path, contentType, encoding, bytes.NewReader(body))
				assert.Equal(t, http.StatusOK, resp.status, "%s %s", contentType, encoding)
				assert.Equal(t, base, resp.contentType)
				assert.Equal(t, []int{3}, items)
			}
		}
	}
	r.assertRejected(map[string]int64{})
	assert.Empty(t, r.logs.All())
}

// assertRejected compares the series of otlp_guard_rejected_requests that are not 0.
func (r *rig) assertRejected(want map[string]int64) {
	r.t.Helper()
	assert.Equal(r.t, want, r.rejected())
}

func (r *rig) rejected() map[string]int64 {
	r.t.Helper()
	got, err := r.telemetry.GetMetric("otelcol_otlp_guard_rejected_requests")
	require.NoError(r.t, err)
	values := map[string]int64{}
	for _, point := range got.Data.(metricdata.Sum[int64]).DataPoints {
		var labels []string
		for _, key := range []attribute.Key{"signal", "reason"} {
			value, _ := point.Attributes.Value(key)
			labels = append(labels, value.AsString())
		}
		if point.Value > 0 {
			values[strings.Join(labels, " ")] = point.Value
		}
	}
	return values
}

func TestHTTPLargeBody(t *testing.T) {
	spans := 0
	r := newRig(t, nil)
	r.consume = func(_ context.Context, n int) error {
		spans += n
		return nil
	}
	req := tracesWith(1)
	req.Traces().ResourceSpans().At(0).Resource().Attributes().PutStr("prompt", strings.Repeat("x", 40*mib))
	body := encode(t, req, contentTypeProtobuf)
	for _, encoding := range []string{"", "gzip", "zstd"} {
		resp := r.post("/v1/traces", contentTypeProtobuf, encoding, bytes.NewReader(compress(t, encoding, body)))
		assert.Equal(t, http.StatusOK, resp.status, encoding)
	}
	// Without an announced length.
	resp := r.post("/v1/traces", contentTypeProtobuf, "", io.MultiReader(bytes.NewReader(body)))
	assert.Equal(t, http.StatusOK, resp.status)
	assert.Equal(t, 4, spans)
}

func TestHTTPRejects(t *testing.T) {
	deep := tracesWith(1)
	value := deep.Traces().ResourceSpans().At(0).Resource().Attributes().PutEmpty("deep")
	for range 5 {
		value = value.SetEmptySlice().AppendEmpty()
	}
	wide := tracesWith(1)
	for range 20 {
		wide.Traces().ResourceSpans().At(0).Resource().Attributes().PutEmptySlice("list").AppendEmpty().SetInt(1)
	}
	list := wide.Traces().ResourceSpans().At(0).Resource().Attributes().PutEmptySlice("list")
	for range 20 {
		list.AppendEmpty().SetInt(1)
	}
	large := tracesWith(1)
	large.Traces().ResourceSpans().At(0).Resource().Attributes().PutStr("text", strings.Repeat("x", mib))
	for _, tt := range []struct {
		reason string
		req    marshaler
		status int
		code   codes.Code
	}{
		{"depth", deep, http.StatusRequestEntityTooLarge, codes.InvalidArgument},
		{"items", tracesWith(11), http.StatusRequestEntityTooLarge, codes.InvalidArgument},
		{"attributes", wide, http.StatusRequestEntityTooLarge, codes.InvalidArgument},
		{"request_memory", large, http.StatusRequestEntityTooLarge, codes.InvalidArgument},
	} {
		for _, contentType := range []string{contentTypeProtobuf, contentTypeJSON} {
			for _, encoding := range []string{"", "gzip", "zstd"} {
				t.Run(tt.reason+contentType+encoding, func(t *testing.T) {
					r := newRig(t, func(cfg *Config) {
						cfg.MaxDepth, cfg.MaxItems, cfg.MaxAttributes, cfg.MaxRequestMemoryMiB = 4, 10, 20, 2
					})
					r.consume = func(context.Context, int) error {
						t.Error("the request was decoded")
						return nil
					}
					body := compress(t, encoding, encode(t, tt.req, contentType))
					resp := r.post("/v1/traces", contentType, encoding, bytes.NewReader(body))
					assert.Equal(t, tt.status, resp.status)
					assert.Equal(t, contentType, resp.contentType)
					assert.Empty(t, resp.retryAfter)
					assert.Equal(t, tt.code, codes.Code(unmarshalStatus(t, resp).Code))
					r.assertRejected(map[string]int64{"traces " + tt.reason: 1})
					r.post("/v1/traces", contentType, encoding, bytes.NewReader(body))
					assert.Len(t, r.logs.All(), 1, "one message per interval")
				})
			}
		}
	}
}

func unmarshalStatus(t *testing.T, resp response) *spb.Status {
	t.Helper()
	var st spb.Status
	if resp.contentType == contentTypeJSON {
		require.NoError(t, protojson.Unmarshal(resp.body, &st))
	} else {
		require.NoError(t, proto.Unmarshal(resp.body, &st))
	}
	return &st
}

func TestHTTPMalformed(t *testing.T) {
	r := newRig(t, nil)
	for name, tt := range map[string]struct {
		contentType string
		body        string
	}{
		"garbage protobuf":       {contentTypeProtobuf, strings.Repeat("\xff", mib)},
		"small garbage protobuf": {contentTypeProtobuf, "\xff\xfe\x00garbage"},
		"negative time": {
			contentTypeJSON, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":-5}]}]}]}`,
		},
		"not UTF-8 and malformed": {contentTypeJSON, "{\"resourceSpans\":[{\"\xff\xfe\":\"\xff\"}], \"resourceSpans\": 5}"},
		"JSON garbage":            {contentTypeJSON, "\xff\xfe"},
		"empty JSON":              {contentTypeJSON, ""},
	} {
		t.Run(name, func(t *testing.T) {
			resp := r.post("/v1/traces", tt.contentType, "", strings.NewReader(tt.body))
			assert.Equal(t, http.StatusBadRequest, resp.status)
			assert.NotContains(t, string(resp.body), "failed to marshal")
		})
	}
}

func TestHTTPBodyTooLarge(t *testing.T) {
	r := newRig(t, nil)
	for _, encoding := range []string{"gzip", "zstd"} {
		bomb := compress(t, encoding, make([]byte, 65*mib))
		resp := r.post("/v1/traces", contentTypeProtobuf, encoding, bytes.NewReader(bomb))
		assert.Equal(t, http.StatusRequestEntityTooLarge, resp.status)
	}
	r.assertRejected(map[string]int64{"traces body_size": 2})
	resp := r.postProtobuf("/v1/traces", encode(t, tracesWith(1), contentTypeProtobuf))
	assert.Equal(t, http.StatusOK, resp.status)
}

func TestHTTPUnreadable(t *testing.T) {
	r := newRig(t, nil)
	whole := compress(t, "gzip", encode(t, tracesWith(1000), contentTypeProtobuf))
	resp := r.post("/v1/traces", contentTypeProtobuf, "gzip", bytes.NewReader(whole[:len(whole)/2]))
	assert.Equal(t, http.StatusBadRequest, resp.status)
	r.assertRejected(map[string]int64{"traces unreadable": 1})
}

func TestHTTPOtherRequests(t *testing.T) {
	r := newRig(t, nil)
	resp := r.postProtobuf("/v1/other", nil)
	assert.Equal(t, http.StatusNotFound, resp.status)
	resp = r.post("/v1/traces", "text/plain", "", strings.NewReader("text"))
	assert.Equal(t, http.StatusUnsupportedMediaType, resp.status)
	get, err := http.Get(r.http + "/v1/traces")
	require.NoError(t, err)
	require.NoError(t, get.Body.Close())
	assert.Equal(t, http.StatusMethodNotAllowed, get.StatusCode)
	r.assertRejected(map[string]int64{"unknown unsupported": 1})
}

// TestHTTPTotalMemory keeps one large request in the pipeline: another one has to be sent again, a small one passes.
func TestHTTPTotalMemory(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(cfg *Config) { cfg.MaxRequestMemoryMiB, cfg.MaxTotalMemoryMiB = 64, 64 })
	r.consume = func(_ context.Context, n int) error {
		if n == 1 {
			entered <- struct{}{}
			<-leave
		}
		return nil
	}
	large := tracesWith(1)
	large.Traces().ResourceSpans().At(0).Resource().Attributes().PutStr("text", strings.Repeat("x", 15*mib))
	body := encode(t, large, contentTypeProtobuf)
	var wg sync.WaitGroup
	wg.Go(func() {
		assert.Equal(t, http.StatusOK, r.postProtobuf("/v1/traces", body).status)
	})
	<-entered
	assert.Greater(t, r.guard.memory.Used(), int64(45*mib))
	resp := r.post("/v1/traces", contentTypeProtobuf, "gzip", bytes.NewReader(compress(t, "gzip", body)))
	assert.Equal(t, http.StatusServiceUnavailable, resp.status)
	assert.Equal(t, "1", resp.retryAfter)
	assert.Equal(t, codes.Unavailable, codes.Code(unmarshalStatus(t, resp).Code))
	resp = r.postProtobuf("/v1/traces", encode(t, tracesWith(2), contentTypeProtobuf))
	assert.Equal(t, http.StatusOK, resp.status)
	close(leave)
	wg.Wait()
	eventually(t, func() bool { return r.guard.memory.Used() == 0 })
	wg.Go(func() { <-entered })
	assert.Equal(t, http.StatusOK, r.postProtobuf("/v1/traces", body).status)
	wg.Wait()
	r.assertRejected(map[string]int64{"traces total_memory": 1})
}

// TestHTTPSlowClient occupies each place with a client that sends half a body: another request takes one of them.
func TestHTTPSlowClient(t *testing.T) {
	r := newRig(t, nil, admission.NewSlots(2, maxWaiting, 50*time.Millisecond, time.Minute))
	var slow []net.Conn
	for range 2 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.http, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"+
			"Transfer-Encoding: chunked\r\n\r\n10\r\n\x0a")
		require.NoError(t, err)
		slow = append(slow, conn)
	}
	eventually(t, func() bool { return r.guard.slots.InUse() == 2 })
	zipped := compress(t, "gzip", encode(t, tracesWith(2), contentTypeProtobuf))
	resp := r.post("/v1/traces", contentTypeProtobuf, "gzip", bytes.NewReader(zipped))
	assert.Equal(t, http.StatusOK, resp.status)
	// The oldest of the slow ones was answered.
	answers := make(chan string, len(slow))
	for _, conn := range slow {
		go func() {
			answer, _ := io.ReadAll(conn)
			answers <- string(answer)
		}()
	}
	assert.Contains(t, <-answers, "503 Service Unavailable")
	for _, conn := range slow {
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	}
	<-answers
}

func TestHTTPBusy(t *testing.T) {
	r := newRig(t, nil, admission.NewSlots(1, maxWaiting, time.Hour, 10*time.Millisecond))
	slot, err := r.guard.slots.Acquire(t.Context(), func() {})
	require.NoError(t, err)
	body := encode(t, tracesWith(1), contentTypeProtobuf)
	zipped := compress(t, "gzip", body)
	resp := r.post("/v1/traces", contentTypeProtobuf, "gzip", bytes.NewReader(zipped))
	assert.Equal(t, http.StatusServiceUnavailable, resp.status)
	// A small request that is not compressed needs no slot.
	assert.Equal(t, http.StatusOK, r.postProtobuf("/v1/traces", body).status)
	slot.Release()
	resp = r.post("/v1/traces", contentTypeProtobuf, "gzip", bytes.NewReader(zipped))
	assert.Equal(t, http.StatusOK, resp.status)
	r.assertRejected(map[string]int64{"traces busy": 1})
}

func TestHTTPPipelineErrorPasses(t *testing.T) {
	r := newRig(t, nil)
	r.consume = func(context.Context, int) error { return errors.New("the queue is full") }
	resp := r.postProtobuf("/v1/traces", encode(t, tracesWith(1), contentTypeProtobuf))
	assert.Equal(t, http.StatusServiceUnavailable, resp.status)
	r.assertRejected(map[string]int64{})
}
