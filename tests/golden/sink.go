// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// sink accepts OTLP over HTTP and keeps it.
type sink struct {
	server *httptest.Server

	mu      sync.Mutex // guards the fields below
	traces  []ptrace.Traces
	metrics []pmetric.Metrics
}

func listen() *sink {
	s := &sink{}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/traces", func(w http.ResponseWriter, r *http.Request) {
		request := ptraceotlp.NewExportRequest()
		if take(w, r, request.UnmarshalProto) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.traces = append(s.traces, request.Traces())
		}
	})
	mux.HandleFunc("/v1/metrics", func(w http.ResponseWriter, r *http.Request) {
		request := pmetricotlp.NewExportRequest()
		if take(w, r, request.UnmarshalProto) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.metrics = append(s.metrics, request.Metrics())
		}
	})
	s.server = httptest.NewServer(mux)
	return s
}

// take reads a body and reports whether it is valid. An empty response is a full success.
func take(w http.ResponseWriter, r *http.Request, unmarshal func([]byte) error) bool {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = unmarshal(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}
