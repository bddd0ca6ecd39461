// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-dify/otelcol-dify/testkit/traffic"
)

// receiver accepts OTLP and responds with the given statuses, then with 200.
type receiver struct {
	mu       sync.Mutex
	statuses []int
	spans    int
	metrics  int
}

func (f *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.statuses) > 0 {
		w.WriteHeader(f.statuses[0])
		f.statuses = f.statuses[1:]
		return
	}
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/v1/traces":
		req := ptraceotlp.NewExportRequest()
		_ = req.UnmarshalProto(body)
		f.spans += req.Traces().SpanCount()
	case "/v1/metrics":
		req := pmetricotlp.NewExportRequest()
		_ = req.UnmarshalProto(body)
		f.metrics += req.Metrics().MetricCount()
	}
}

func exportOnce(t *testing.T, f *receiver) (e *exporter, spans int) {
	t.Helper()
	srv := httptest.NewServer(f)
	defer srv.Close()
	g := traffic.New(1)
	x := g.Next(time.Now())
	for len(x.Requests) == 0 {
		x = g.Next(time.Now())
	}
	x.Measure()
	e = newExporter(x.Requests[0].Process, srv.URL)
	for _, b := range x.Spans {
		spans += b.Traces.SpanCount()
		e.add(b.Traces)
	}
	done := make(chan struct{})
	close(done)
	e.run(t.Context(), done)
	return e, spans
}

func TestExporterRetriesWhatMayBeRetried(t *testing.T) {
	f := &receiver{statuses: []int{http.StatusServiceUnavailable}}
	e, spans := exportOnce(t, f)
	assert.Equal(t, spans, f.spans)
	assert.Equal(t, 3, f.metrics)
	assert.Zero(t, e.refused())
}

func TestExporterCountsWhatIsRefused(t *testing.T) {
	f := &receiver{statuses: []int{http.StatusBadRequest}}
	e, _ := exportOnce(t, f)
	assert.Zero(t, f.spans)
	require.Equal(t, 3, f.metrics)
	assert.Equal(t, 1, e.refused())
}
