// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// export sends an OTLP request over HTTP and returns the response's status.
func export(t *testing.T, address, signal, contentType string, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		"http://"+address+"/v1/"+signal,
		bytes.NewReader(body),
	)
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

const lineIndices = "dify-logs-*"

const (
	protobuf   = "application/x-protobuf"
	jsonFormat = "application/json"
)

// spanIDs returns the document ids of the spans with these numbers.
func spanIDs(numbers ...uint64) []string {
	ids := make([]string, 0, len(numbers))
	for _, n := range numbers {
		trace, span := idsOf(n)
		ids = append(ids, trace.String()+"-"+span.String())
	}
	return ids
}

func idsOf(n uint64) (trace pcommon.TraceID, span pcommon.SpanID) {
	binary.BigEndian.PutUint64(trace[8:], n)
	binary.BigEndian.PutUint64(span[:], n)
	return trace, span
}

// span returns an OTLP request with one span in its own trace.
func span(t *testing.T, n uint64) []byte {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "langgenius/dify")
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	trace, id := idsOf(n)
	s.SetTraceID(trace)
	s.SetSpanID(id)
	s.SetName(fmt.Sprintf("span %d", n))
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	s.SetEndTimestamp(s.StartTimestamp())
	return tracesProto(t, td)
}

func tracesProto(t *testing.T, td ptrace.Traces) []byte {
	t.Helper()
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	require.NoError(t, err)
	return body
}

// record returns an OTLP request with one log record.
func record(t *testing.T, text string) []byte {
	t.Helper()
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "langgenius/dify")
	r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	r.SetSeverityNumber(plog.SeverityNumberInfo)
	r.Body().SetStr(text)
	r.Attributes().PutStr("log.record.uid", text)
	body, err := plogotlp.NewExportRequestFromLogs(ld).MarshalProto()
	require.NoError(t, err)
	return body
}

// gauge returns an OTLP request with one metric.
func gauge(t *testing.T, name string, value int64) []byte {
	t.Helper()
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "langgenius/dify")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetIntValue(value)
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	return metricsProto(t, md)
}

func metricsProto(t *testing.T, md pmetric.Metrics) []byte {
	t.Helper()
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	require.NoError(t, err)
	return body
}

// expectDocuments waits until there are as many documents as wanted, and returns them.
func (r *rig) expectDocuments(t *testing.T, want int, pattern string) []servers.Hit {
	t.Helper()
	wait.For(t, "documents in "+pattern, func(ctx context.Context) error {
		got, err := r.search.Count(ctx, pattern)
		if err == nil && got != want {
			err = fmt.Errorf("%d documents, expected %d", got, want)
		}
		return err
	})
	hits, err := r.search.Search(t.Context(), pattern, servers.All())
	require.NoError(t, err)
	return hits
}

func documentIDs(hits []servers.Hit) []string {
	ids := make([]string, 0, len(hits))
	for _, hit := range hits {
		ids = append(ids, hit.ID)
	}
	return ids
}

// expectLog waits for a log line that contains all of these texts.
func (i *instance) expectLog(t *testing.T, texts ...string) {
	t.Helper()
	wait.For(t, fmt.Sprintf("a log line with %q", texts), func(context.Context) error {
		if len(i.logLines(texts...)) == 0 {
			return errors.New("there is none yet")
		}
		return nil
	})
}

func (i *instance) logLines(texts ...string) []string {
	var found []string
next:
	for line := range strings.Lines(i.Log()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

// expectMetric waits until the sum of an own metric is what is wanted.
func (i *instance) expectMetric(t *testing.T, want float64, name string, labels ...string) {
	t.Helper()
	wait.For(t, name, func(ctx context.Context) error {
		got, err := i.OwnMetric(ctx, name, labels...)
		if err == nil && got != want {
			err = fmt.Errorf("it is %v, expected %v", got, want)
		}
		return err
	})
}
