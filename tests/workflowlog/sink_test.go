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

// manner is how the sink responds.
type manner int

const (
	accepts  manner = iota // keeps, then responds
	refuses                // keeps nothing
	isSilent               // keeps, and then closes the connection without a response
)

// sink receives OTLP over HTTP. It outlives every collector, and acknowledges only what it has kept.
type sink struct {
	*httptest.Server

	mu         sync.Mutex // guards the fields below
	manner     manner
	faults     int                           // failed requests
	recorded   map[string]map[string]bool    // run ids by event
	uids       map[string]string             // the run and event of each log.record.uid
	records    int                           // including duplicates
	startTimes map[string]map[time.Time]bool // StartTimestamps of app.workflow.run.total by app
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{
		recorded: map[string]map[string]bool{eventRun: {}, eventStuck: {}, eventUnknown: {}}, uids: map[string]string{},
		startTimes: map[string]map[time.Time]bool{},
	}
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
	case accepts:
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
	if s.manner != accepts {
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
	if !assert.Contains(t, s.recorded, event) || !assert.NotEmpty(t, run) || !assert.NotEmpty(t, uid) {
		return
	}
	if known, ok := s.uids[uid]; ok {
		assert.Equal(t, known, event+" "+run, "one log.record.uid identifies one record")
	}
	s.uids[uid] = event + " " + run
	s.recorded[event][run] = true
	s.records++
}

func text(record plog.LogRecord, key string) string {
	value, ok := record.Attributes().Get(key)
	if !ok {
		value = pcommon.NewValueEmpty()
	}
	return value.AsString()
}

// serveMetrics records the start timestamps of series. It always accepts them: the counts are checked in Prometheus.
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
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty response means that everything was accepted
}

func (s *sink) noteBirths(points pmetric.NumberDataPointSlice) {
	for _, point := range points.All() {
		app, _ := point.Attributes().Get("dify.app_id")
		if s.startTimes[app.AsString()] == nil {
			s.startTimes[app.AsString()] = map[time.Time]bool{}
		}
		s.startTimes[app.AsString()][point.StartTimestamp().AsTime()] = true
	}
}

// startTimesOf returns the start timestamps that an app's points have had.
func (s *sink) startTimesOf(app string) map[time.Time]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.startTimes[app])
}

// behave sets how the sink responds from now on.
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

// received is the number of records, including duplicates.
func (s *sink) received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records
}

// runs returns the ids of the runs recorded by an event.
func (s *sink) runs(event string) map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.recorded[event])
}

// distinct returns the number of distinct log.record.uids.
func (s *sink) distinct() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uids)
}
