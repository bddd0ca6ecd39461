// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlog

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// Events of workflow_log.
const (
	eventRun     = "dify.workflow.run"
	eventStuck   = "dify.workflow.stuck"
	eventUnknown = "dify.workflow.unknown"
)

// manner is how the sink answers.
type manner int

const (
	takes    manner = iota // keeps, then answers
	refuses                // keeps nothing
	isSilent               // keeps, and then cuts the connection instead of answering
)

// sink is the receiving end over OTLP/HTTP. It outlives every collector, and answers only for what it has kept.
type sink struct {
	*httptest.Server

	mu      sync.Mutex // guards what follows
	manner  manner
	faults  int                           // requests that were not answered well
	told    map[string]map[string]bool    // run ids by event
	uids    map[string]string             // what each log.record.uid stands for
	records int                           // as often as they came
	births  map[string]map[time.Time]bool // StartTimestamps of app.workflow.run.total by app
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{told: map[string]map[string]bool{eventRun: {}, eventStuck: {}, eventUnknown: {}}, uids: map[string]string{}, births: map[string]map[time.Time]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/logs", func(w http.ResponseWriter, r *http.Request) { s.serve(t, w, r) })
	mux.HandleFunc("/v1/metrics", func(w http.ResponseWriter, r *http.Request) { s.serveMetrics(t, w, r) })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *sink) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the collector was killed while it sent
	}
	request := plogotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		t.Errorf("the collector sent what is no OTLP: %v", err)
		return
	}
	switch s.take(t, request.Logs()) {
	case refuses:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case isSilent:
		panic(http.ErrAbortHandler)
	case takes:
		answer, err := plogotlp.NewExportResponse().MarshalProto()
		if err != nil {
			t.Errorf("answer: %v", err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	}
}

func (s *sink) take(t *testing.T, logs plog.Logs) manner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manner != takes {
		s.faults++
	}
	if s.manner == refuses {
		return refuses
	}
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				s.keep(t, record)
			}
		}
	}
	return s.manner
}

func (s *sink) keep(t *testing.T, record plog.LogRecord) {
	event, run, uid := record.EventName(), text(record, "dify.workflow_run_id"), text(record, "log.record.uid")
	if !assert.Contains(t, s.told, event) || !assert.NotEmpty(t, run) || !assert.NotEmpty(t, uid) {
		return
	}
	if known, ok := s.uids[uid]; ok {
		assert.Equal(t, known, event+" "+run, "one log.record.uid stands for one record")
	}
	s.uids[uid] = event + " " + run
	s.told[event][run] = true
	s.records++
}

func text(record plog.LogRecord, key string) string {
	value, ok := record.Attributes().Get(key)
	if !ok {
		value = pcommon.NewValueEmpty()
	}
	return value.AsString()
}

// serveMetrics notes when series were born. It always takes them: what Prometheus scrapes is checked, not this.
func (s *sink) serveMetrics(t *testing.T, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the collector was killed while it sent
	}
	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		t.Errorf("the collector sent what is no OTLP: %v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rm := range request.Metrics().ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				if metric.Name() == "app.workflow.run.total" {
					s.noteBirths(metric.Sum().DataPoints())
				}
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty answer is one that took everything
}

func (s *sink) noteBirths(points pmetric.NumberDataPointSlice) {
	for _, point := range points.All() {
		app, _ := point.Attributes().Get("dify.app_id")
		if s.births[app.AsString()] == nil {
			s.births[app.AsString()] = map[time.Time]bool{}
		}
		s.births[app.AsString()][point.StartTimestamp().AsTime()] = true
	}
}

// bornOf are the StartTimestamps that an app's points have had.
func (s *sink) bornOf(app string) map[time.Time]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.births[app])
}

// behave sets how the sink answers from now on.
func (s *sink) behave(m manner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manner = m
}

func (s *sink) faulty() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// received is the number of records, as often as they came.
func (s *sink) received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records
}

// runs are the ids of the runs told by an event.
func (s *sink) runs(event string) map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.told[event])
}

// distinct is the number of log.record.uids.
func (s *sink) distinct() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uids)
}
