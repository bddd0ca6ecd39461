// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentry

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// A request of the workload is a trace of one root with one exception, and childrenOfRequest spans that arrive first,
// in another request, as from Dify.
const (
	childrenOfRequest = 3
	spansOfRequest    = childrenOfRequest + 1
	rootSpan          = 1
)

// workload is what a test sends to the collector.
type workload struct {
	at     time.Time
	client *http.Client
	url    string // of the OTLP endpoint for traces
}

func newWorkload(otlpHTTP string) *workload {
	return &workload{
		at:     time.Now(),
		client: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()},
		url:    "http://" + otlpHTTP + "/v1/traces",
	}
}

func traceOf(request int) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[:8], 0xd1f7)
	binary.BigEndian.PutUint64(id[8:], uint64(request+1))
	return id
}

// send sends requests, children first, until the collector has accepted them, however often it is killed meanwhile.
func (w *workload) send(ctx context.Context, first, n int) error {
	if err := w.export(ctx, w.push(first, n, w.children)); err != nil {
		return err
	}
	return w.export(ctx, w.push(first, n, w.root))
}

func (*workload) push(first, n int, add func(spans ptrace.SpanSlice, request int)) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	for key, value := range map[string]string{
		"service.name": "langgenius/dify", "service.version": "dify-1.16.1-0123abc", "host.name": "host-1",
		"process.pid":            "7",
		"deployment.environment": "PRODUCTION-COMMUNITY",
	} {
		rs.Resource().Attributes().PutStr(key, value)
	}
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for request := first; request < first+n; request++ {
		add(spans, request)
	}
	return td
}

func (w *workload) span(spans ptrace.SpanSlice, request int, id byte, name string) ptrace.Span {
	s := spans.AppendEmpty()
	s.SetTraceID(traceOf(request))
	s.SetSpanID(pcommon.SpanID{7: id})
	s.SetName(name)
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(w.at))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(w.at.Add(time.Second)))
	return s
}

func (w *workload) children(spans ptrace.SpanSlice, request int) {
	for child := range byte(childrenOfRequest) {
		s := w.span(spans, request, rootSpan+1+child, "SELECT dify")
		s.SetParentSpanID(pcommon.SpanID{7: rootSpan})
		s.SetKind(ptrace.SpanKindClient)
		s.Attributes().PutStr("db.system", "postgresql")
	}
}

func (w *workload) root(spans ptrace.SpanSlice, request int) {
	s := w.span(spans, request, rootSpan, "POST /v1/workflows/run")
	s.SetKind(ptrace.SpanKindServer)
	s.Attributes().PutStr("http.method", "POST")
	s.Attributes().PutStr("http.route", "/v1/workflows/run")
	e := s.Events().AppendEmpty()
	e.SetName("exception")
	e.SetTimestamp(s.EndTimestamp())
	e.Attributes().PutStr("exception.type", "RuntimeError")
	e.Attributes().PutStr("exception.message", fmt.Sprint("request ", request))
	e.Attributes().PutStr("exception.stacktrace", fmt.Sprintf(
		"Traceback (most recent call last):\n  File \"/app/api/a.py\", line 7, in run\n    call()\nRuntimeError: request %d\n",
		request,
	))
}

// export sends as the SDK does, until the response is 200.
func (w *workload) export(ctx context.Context, td ptrace.Traces) error {
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		return err
	}
	return wait.Until(ctx, wait.Deadline, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-protobuf")
		resp, err := w.client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("the collector answered %s", resp.Status)
		}
		return nil
	})
}

// accepted is what a Sentry has of the workload.
type accepted struct {
	errors int             // traces whose error is there
	roots  int             // traces whose root is there, as a transaction
	spans  map[string]bool // all spans
}

func acceptedBy(t *testing.T, s *sink.Sentry) accepted {
	t.Helper()
	got := accepted{spans: map[string]bool{}}
	errors := map[string]bool{}
	for _, ev := range s.Events() {
		errors[idsIn(t, ev.Payload)[0][:32]] = true
	}
	got.errors = len(errors)
	roots := map[string]bool{}
	for _, tx := range s.Transactions() {
		ids := idsIn(t, tx.Payload)
		if ids[0][33:] == (pcommon.SpanID{7: rootSpan}).String() {
			roots[ids[0]] = true
		}
		for _, id := range ids {
			require.Falsef(t, got.spans[id], "span %s is there twice", id)
			got.spans[id] = true
		}
	}
	got.roots = len(roots)
	return got
}

// idsIn returns the trace and span ids of a payload: its own, then those of its spans.
func idsIn(t *testing.T, payload []byte) []string {
	t.Helper()
	type span struct {
		TraceID string `json:"trace_id"`
		SpanID  string `json:"span_id"`
	}
	var ev struct {
		Contexts struct{ Trace span }
		Spans    []span
	}
	require.NoError(t, json.Unmarshal(payload, &ev))
	ids := []string{ev.Contexts.Trace.TraceID + "-" + ev.Contexts.Trace.SpanID}
	for _, s := range ev.Spans {
		ids = append(ids, s.TraceID+"-"+s.SpanID)
	}
	return ids
}
