// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/storagetest"
)

// waitFor is how long an effect may take before a test fails; it is not a guarantee.
const (
	waitFor = 60 * time.Second
	tick    = 5 * time.Millisecond
)

const (
	runEvent   = difysemconv.EventWorkflowRun
	stuckEvent = difysemconv.EventWorkflowStuck
)

var errRefused = errors.New("refused")

var storageID = component.MustNewIDWithName("file_storage", "checkpoint")

func newMemory() *storagetest.Memory { return storagetest.NewMemory(nil) }

// host has one storage extension and records the statuses reported to it.
type host struct {
	extensions map[component.ID]component.Component

	mu       sync.Mutex
	statuses []componentstatus.Status
}

func newHost(extension component.Component) *host {
	return &host{extensions: map[component.ID]component.Component{storageID: extension}}
}

func (h *host) GetExtensions() map[component.ID]component.Component { return h.extensions }

func (h *host) Report(event *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.statuses = append(h.statuses, event.Status())
}

func (h *host) last() componentstatus.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.statuses) == 0 {
		return componentstatus.StatusNone
	}
	return h.statuses[len(h.statuses)-1]
}

// sink keeps what it accepts, and accepts only what the test allows.
type sink struct {
	mu      sync.Mutex
	refuse  func() error // nil: accepts everything
	asked   int
	records []plog.LogRecord
	metrics []pmetric.Metrics
}

func (*sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

func (s *sink) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.refuse != nil {
		if err := s.refuse(); err != nil {
			logs.ResourceLogs().RemoveIf(func(plog.ResourceLogs) bool { return true }) // as a pipeline may
			return err
		}
	}
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			s.records = append(s.records, slices.Collect(values(sl.LogRecords()))...)
		}
	}
	return nil
}

func values(records plog.LogRecordSlice) func(func(plog.LogRecord) bool) {
	return func(yield func(plog.LogRecord) bool) {
		for _, record := range records.All() {
			if !yield(record) {
				return
			}
		}
	}
}

func (s *sink) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics = append(s.metrics, md)
	return nil
}

func (s *sink) emissions() []pmetric.Metrics {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.metrics)
}

func (s *sink) setRefuse(refuse func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

func (s *sink) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// delivered returns the IDs of the runs delivered with an event, in the order of delivery, including repetitions.
func (s *sink) delivered(event string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, record := range s.records {
		if record.EventName() == event {
			ids = append(ids, pdatatest.Str(record.Attributes(), difysemconv.AttrWorkflowRunID))
		}
	}
	return ids
}

func (s *sink) record(t *testing.T, event, runID string) plog.LogRecord {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, record := range s.records {
		if record.EventName() == event && pdatatest.Str(record.Attributes(), difysemconv.AttrWorkflowRunID) == runID {
			return record
		}
	}
	require.FailNow(t, "no such record", "%s of %s", event, runID)
	return plog.LogRecord{}
}

// counter returns the sum of a counter's points whose attributes have the given values, in the latest emission.
func (s *sink) counter(name string, labels map[string]string) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.metrics) == 0 {
		return -1
	}
	return pdatatest.Counter(s.metrics[len(s.metrics)-1], name, labels)
}

// harness is a receiver with both of its pipelines, from creation to shutdown.
type harness struct {
	*sink
	host     *host
	receiver component.Component
	log      *observer.ObservedLogs
	settings receiver.Settings
}

func startHarness(t *testing.T, cfg *Config, extension component.Component) *harness {
	t.Helper()
	r := newHarness(t, cfg, extension, &sink{})
	require.NoError(t, r.start(t.Context(), r.host))
	return r
}

// start does what the service does: it calls Start once for each pipeline.
func (r *harness) start(ctx context.Context, h component.Host) error {
	for range 2 {
		if err := r.receiver.Start(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

func newHarness(t *testing.T, cfg *Config, extension component.Component, into *sink) *harness {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	settings := receivertest.NewNopSettings(metadata.Type)
	settings.ID = component.NewID(metadata.Type) // the same after a restart
	settings.Logger = zap.New(core)
	factory := NewFactory()
	created, err := factory.CreateLogs(t.Context(), settings, cfg, into)
	require.NoError(t, err)
	same, err := factory.CreateMetrics(t.Context(), settings, cfg, into)
	require.NoError(t, err)
	require.Same(t, created, same)
	r := &harness{sink: into, host: newHost(extension), receiver: created, log: logs, settings: settings}
	t.Cleanup(func() { r.stop(t) })
	return r
}

func (r *harness) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, r.receiver.Shutdown(context.Background()))
}

func (r *harness) waitDelivered(t *testing.T, event string, ids ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.delivered(event)) >= len(ids) }, waitFor, tick,
		"%d runs delivered as %s", len(ids), event)
	require.ElementsMatch(t, ids, r.delivered(event))
}

func (r *harness) waitCounter(t *testing.T, want float64, name string, labels map[string]string) {
	t.Helper()
	require.Eventually(t, func() bool { return r.counter(name, labels) == want }, waitFor, tick,
		"%s%v = %v", name, labels, want)
}

// settled waits until the receiver has polled the database twice more, so that everything due is done.
func (r *harness) settled(t *testing.T, db *database) {
	t.Helper()
	marker := newRun()
	marker.status = difysemconv.StatusStopped
	db.insert(t, marker)
	require.Eventually(
		t, func() bool { return slices.Contains(r.delivered(difysemconv.EventWorkflowRun), marker.id) }, waitFor, tick,
	)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = slices.DeleteFunc(r.records, func(record plog.LogRecord) bool {
		return pdatatest.Str(record.Attributes(), difysemconv.AttrWorkflowRunID) == marker.id
	})
}

func (r *harness) logged(message string) int {
	return r.log.FilterMessageSnippet(message).Len()
}

// entryText returns the message and the fields of a log entry.
func entryText(entry observer.LoggedEntry) string {
	return fmt.Sprint(entry.Message, entry.ContextMap())
}

var (
	_ component.Host           = (*host)(nil)
	_ componentstatus.Reporter = (*host)(nil)
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// built returns the metrics when no series is new.
func built(m *runmetrics.Metrics) pmetric.Metrics {
	md, _ := m.Build(pcommon.NewResource(), pcommon.NewInstrumentationScope(), noon.AddDate(10, 0, 0), 0)
	return md
}
