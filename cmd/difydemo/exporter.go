// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/testkit/traffic"
)

const (
	exportInterval = time.Second
	exportTimeout  = 10 * time.Second
	maxRetryPause  = 8 * time.Second
)

// exporter simulates the OpenTelemetry SDK of one process: it exports spans and metrics with OTLP over HTTP, as
// Dify's does.
type exporter struct {
	process *traffic.Process
	url     string

	// mu guards the fields below.
	mu     sync.Mutex
	spans  ptrace.Traces
	faults int
}

func newExporter(p *traffic.Process, url string) *exporter {
	return &exporter{process: p, url: url, spans: ptrace.NewTraces()}
}

// add buffers spans until the next export.
func (e *exporter) add(spans ptrace.Traces) {
	e.mu.Lock()
	defer e.mu.Unlock()
	traffic.Merge(e.spans, spans)
}

// run exports once per interval until done, and then once more.
func (e *exporter) run(ctx context.Context, done <-chan struct{}) {
	tick := time.NewTicker(exportInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.export(ctx)
		case <-done:
			e.export(ctx)
			return
		case <-ctx.Done():
			return
		}
	}
}

func (e *exporter) export(ctx context.Context) {
	e.mu.Lock()
	spans := e.spans
	e.spans = ptrace.NewTraces()
	e.mu.Unlock()
	if spans.SpanCount() > 0 {
		body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(spans)
		e.send(ctx, "/v1/traces", body, err)
	}
	if metrics, measured := e.process.Meter.Snapshot(time.Now()); measured {
		body, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(metrics)
		e.send(ctx, "/v1/metrics", body, err)
	}
}

// send retries as the SDK does: a retryable request is sent again until it is accepted.
func (e *exporter) send(ctx context.Context, path string, body []byte, err error) {
	for pause := time.Second; err == nil; pause = min(2*pause, maxRetryPause) {
		var retry bool
		if retry, err = e.post(ctx, path, body); err == nil {
			return
		}
		if retry {
			err = nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults++
}

func (e *exporter) post(ctx context.Context, path string, body []byte) (retry bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+path, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "OTel-OTLP-Exporter-Python/1.44.0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return true, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is reused
	switch res.StatusCode {
	case http.StatusOK:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, fmt.Errorf("POST %s: %s", path, res.Status)
	default:
		return false, fmt.Errorf("POST %s: %s", path, res.Status)
	}
}

// refused returns the number of exports that the collector permanently rejected.
func (e *exporter) refused() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.faults
}
