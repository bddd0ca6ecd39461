// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	largestRequest = 64 << 20 // that a gateway accepts
	largestMessage = 90_000_000
	largeSpans     = 600
)

// The largest request that a gateway accepts, a single trace, passes through Kafka and arrives complete. A larger one
// is rejected, so that the sender knows.
func TestLargestRequestPasses(t *testing.T) {
	r := newRigWith(t, rigOptions{gateways: 1, writers: 1})
	gateway := r.gateways[0]
	text := incompressible(largestRequest/largeSpans - 300)

	trace := func(last string) []byte { return largeTrace(t, text, last) }
	assert.Equal(
		t, codes.ResourceExhausted, status.Code(exportGRPC(t, gateway.OTLPGRPC, exactly(t, largestRequest+1, trace))),
	)
	require.NoError(t, exportGRPC(t, gateway.OTLPGRPC, exactly(t, largestRequest, trace)))
	gateway.expectMetric(t, 0, "otelcol_exporter_queue_size")
	r.expectConsumed(t, "traces")
	hits := r.expectDocuments(t, largeSpans, spanIndices)
	for _, hit := range hits[:10] {
		assert.Contains(t, fmt.Sprint(hit.Source), text)
	}

	points := func(last string) []byte { return largeMetrics(t, text, last) }
	assert.Equal(
		t, http.StatusRequestEntityTooLarge,
		export(t, gateway.OTLPHTTP, "metrics", protobuf, exactly(t, largestRequest+1, points)),
	)
	require.Equal(t, http.StatusOK, export(t, gateway.OTLPHTTP, "metrics", protobuf, exactly(t, largestRequest, points)))
	gateway.expectMetric(t, 0, "otelcol_exporter_queue_size")

	for _, topic := range []string{"traces", "metrics"} {
		messages, err := r.kafka.Messages(t.Context(), r.topic(topic))
		require.NoError(t, err)
		require.Len(t, messages, 1)
		t.Logf("a request of %d bytes is a message of %d", largestRequest, len(messages[0].Value))
		assert.Less(t, len(messages[0].Value), largestMessage)
	}
}

// incompressible returns a stack trace of at most that many bytes that redaction does not change.
func incompressible(size int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for {
		line := fmt.Sprintf(
			"  File \"/app/api/%x/%x.py\", line %d, in f%x\n", random.Uint64(), random.Uint64(), random.IntN(1000),
			random.Uint64(),
		)
		if b.Len()+len(line) > size {
			return b.String()
		}
		b.WriteString(line)
	}
}

// exactly returns a request of the given size, by adjusting the length of its last text.
func exactly(t *testing.T, size int, request func(last string) []byte) []byte {
	t.Helper()
	last, body := 0, request("")
	for len(body) != size {
		last += size - len(body)
		body = request(strings.Repeat("x ", last)[:last])
	}
	return body
}

func largeTrace(t *testing.T, text, last string) []byte {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "langgenius/dify")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	now := time.Now()
	for n := range uint64(largeSpans) {
		s := spans.AppendEmpty()
		trace, _ := idsOf(1)
		_, id := idsOf(n + 1)
		s.SetTraceID(trace)
		s.SetSpanID(id)
		s.SetName("large")
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(now))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(now))
		e := s.Events().AppendEmpty()
		e.SetName("exception")
		e.SetTimestamp(s.EndTimestamp())
		e.Attributes().PutStr("exception.type", "ValueError")
		e.Attributes().PutStr("exception.stacktrace", text)
	}
	spans.At(0).Attributes().PutStr("note", last)
	return tracesProto(t, td)
}

func largeMetrics(t *testing.T, text, last string) []byte {
	t.Helper()
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "langgenius/dify")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("large")
	points := m.SetEmptyGauge().DataPoints()
	for n := range int64(largeSpans) {
		p := points.AppendEmpty()
		p.SetIntValue(n)
		p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		p.Attributes().PutInt("n", n)
		p.Attributes().PutStr("text", text)
	}
	points.At(0).Attributes().PutStr("note", last)
	return metricsProto(t, md)
}
