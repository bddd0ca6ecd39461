// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // registers the compressor
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	protobuf = "application/x-protobuf"
	json     = "application/json"

	tracesMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
)

func compress(t *testing.T, body []byte) []byte {
	t.Helper()
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return zipped.Bytes()
}

// post sends a body with gzip and returns the status.
func post(t *testing.T, c *collector.Collector, path, contentType string, body []byte) int {
	t.Helper()
	return postZipped(t, c, path, contentType, compress(t, body))
}

func postZipped(t *testing.T, c *collector.Collector, path, contentType string, zipped []byte) int {
	t.Helper()
	url := "http://" + c.OTLPHTTP + path
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(zipped))
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Content-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err, "the collector has not responded")
	defer resp.Body.Close()
	message, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NotContains(t, string(message), "failed to marshal")
	return resp.StatusCode
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (rawCodec) Unmarshal([]byte, any) error { return nil }

func (rawCodec) Name() string { return "proto" }

// invoke sends a body over gRPC with gzip.
func invoke(t *testing.T, c *collector.Collector, body []byte) codes.Code {
	t.Helper()
	conn, err := grpc.NewClient(c.OTLPGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	err = conn.Invoke(t.Context(), tracesMethod, body, nil, grpc.ForceCodec(rawCodec{}), grpc.UseCompressor("gzip"))
	return status.Code(err)
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	wait.For(t, what, func(context.Context) error { return check() })
}

func goodTraces(t *testing.T) []byte {
	t.Helper()
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID([16]byte{1})
	span.SetSpanID([8]byte{2})
	span.SetName("good")
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	require.NoError(t, err)
	return body
}

func goodMetrics(t *testing.T, name string) []byte {
	t.Helper()
	md := pmetric.NewMetrics()
	metric := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(name)
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	point.SetIntValue(1)
	point.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	require.NoError(t, err)
	return body
}

func wrap(number protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

// inScope returns a request with the content of a scope, which are spans.
func inScope(content []byte) []byte { return wrap(1, wrap(2, content)) }

// inSpan returns a request with the content of a span.
func inSpan(content []byte) []byte { return inScope(wrap(2, content)) }

func repeat(s string, n int) []byte { return bytes.Repeat([]byte(s), n) }

// text returns an attribute with a long string.
func text(size int) []byte { return wrap(9, wrap(2, wrap(1, repeat("x", size)))) }

// nested returns an attribute whose value has a depth.
func nested(depth int, maps bool) []byte {
	// Built from the inside out at the end of a buffer, so that it is linear.
	size := 64 * (depth + 1)
	buf := make([]byte, size)
	begin := size
	prepend := func(tag byte) {
		length := protowire.AppendVarint(nil, uint64(size-begin))
		begin -= len(length)
		copy(buf[begin:], length)
		begin--
		buf[begin] = tag
	}
	for range depth {
		if maps {
			prepend(0x12) // value
			prepend(0x0a) // values
			prepend(0x32) // kvlistValue
		} else {
			prepend(0x0a) // values
			prepend(0x2a) // arrayValue
		}
	}
	return wrap(9, wrap(2, buf[begin:]))
}

func spanJSON(content string) []byte {
	return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{` + content + `}]}]}]}`)
}

func nestedJSON(depth int) []byte {
	return spanJSON(`"attributes":[{"key":"k","value":` + strings.Repeat(`{"arrayValue":{"values":[`, depth) + `{}` +
		strings.Repeat(`]}}`, depth) + `}]`)
}

func spansJSON(n int) []byte {
	return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{}` + strings.Repeat(",{}", n-1) + `]}]}]}`)
}

func histogram(counts, bounds string) []byte {
	return []byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"odd","histogram":{` +
		`"aggregationTemporality":2,"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","count":"1","sum":1,` +
		`"bucketCounts":` + counts + `,"explicitBounds":` + bounds + `}]}}]}]}]}`)
}
