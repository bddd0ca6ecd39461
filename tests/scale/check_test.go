// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	spanIndices = "dify-traces-*"
	runIndices  = "workflow-logs-*"
	deadLetters = "otelcol-dify-dead-letter*"
)

// expectDocumentsOnce waits until there are as many documents as were emitted, and then checks each.
func (r *rig) expectDocumentsOnce(t *testing.T, e emitted) {
	t.Helper()
	r.awaitDocuments(t, spanIndices, e.Spans)
	r.awaitDocuments(t, runIndices, e.Ended())
	seen := r.ids(t, spanIndices, func(hit servers.Hit) string { return hit.ID })
	for id := range seen {
		noise, known := e.spans[id]
		require.Truef(t, known, "document %s was never emitted", id)
		require.Falsef(t, noise, "span %s is noise", id)
	}
	seen = r.ids(t, runIndices, func(hit servers.Hit) string {
		attributes, _ := hit.Source["attributes"].(map[string]any)
		return fmt.Sprint(attributes["dify.workflow_run_id"])
	})
	for id := range seen {
		require.Contains(t, e.runs, id, "a run that was recorded and never ended")
	}
	r.awaitDocuments(t, deadLetters, 0)
}

// awaitDocuments fails only when no more documents arrive.
func (r *rig) awaitDocuments(t *testing.T, indices string, want int) {
	t.Helper()
	last, progress := -1, time.Now()
	for {
		got := -1
		err := wait.Until(t.Context(), wait.Deadline, func(ctx context.Context) (err error) {
			got, err = r.search.Count(ctx, indices)
			if err == nil && got != want && got == last {
				err = fmt.Errorf("%d documents in %s, expected %d", got, indices, want)
			}
			return err
		})
		require.NoErrorf(t, err, "no progress since %s", progress)
		if got == want {
			return
		}
		last, progress = got, time.Now()
	}
}

// ids returns the ids of the documents' subjects. Two documents with the same id fail the test.
func (r *rig) ids(t *testing.T, indices string, of func(servers.Hit) string) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	require.NoError(
		t,
		r.search.Walk(t.Context(), indices, []string{"attributes.dify.workflow_run_id"}, func(hit servers.Hit) {
			id := of(hit)
			assert.Falsef(t, seen[id], "%s is there twice, at last in %s", id, hit.Index)
			seen[id] = true
		}),
	)
	return seen
}

// report has the identifying fields of a Sentry event.
type report struct {
	Tags      map[string]string `json:"tags"`
	Exception struct {
		Values []struct {
			Mechanism struct {
				Type string `json:"type"`
			} `json:"mechanism"`
		} `json:"values"`
	} `json:"exception"`
	Contexts struct {
		Trace struct {
			TraceID string `json:"trace_id"`
			SpanID  string `json:"span_id"`
		} `json:"trace"`
	} `json:"contexts"`
}

func reportOf(t *testing.T, event sink.SentryEvent) report {
	t.Helper()
	var r report
	require.NoError(t, json.Unmarshal(event.Payload, &r))
	return r
}

// ofRun reports whether an event is for a failed run's row, not for an exception.
func (r report) ofRun() bool {
	values := r.Exception.Values
	return len(values) > 0 && values[len(values)-1].Mechanism.Type == "dify.workflow_log"
}

// expectSentryOnce compares distinct event ids with what was emitted: a redelivery may repeat an id.
func (r *rig) expectSentryOnce(t *testing.T, e emitted) {
	t.Helper()
	wait.For(t, "what is reported to Sentry", func(context.Context) error {
		return errors.Join(r.rootsReported(t, e), r.failuresReported(t, e))
	})
	assert.Empty(t, r.sentry.Problems())
}

// rootsReported returns nil when each root is one transaction.
func (r *rig) rootsReported(t *testing.T, e emitted) error {
	t.Helper()
	times := map[string]int{}
	for _, event := range r.sentry.Transactions() {
		trace := reportOf(t, event).Contexts.Trace
		times[spanID(trace.TraceID, trace.SpanID)]++
	}
	missing := 0
	for id := range e.roots {
		require.LessOrEqualf(t, times[id], 1, "the root %s is several transactions", id)
		missing += 1 - times[id]
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d roots are no transaction", missing, len(e.roots))
	}
	return nil
}

// failuresReported returns nil when each exception is one event, except handled ones, and each failed run without an
// exception is one, too. A run's record and its exception may be consumed by different writers: then the run has an
// event as well.
func (r *rig) failuresReported(t *testing.T, e emitted) error {
	t.Helper()
	exceptions, runs := 0, map[string]int{}
	for _, event := range r.sentry.Events() {
		report := reportOf(t, event)
		if !report.ofRun() {
			exceptions++
			continue
		}
		id := report.Tags["dify.workflow_run_id"]
		require.Containsf(t, e.runs, id, "event %s is of no run", event.ID)
		require.Equalf(t, "failed", e.runs[id].status, "run %s", id)
		runs[id]++
		require.Equalf(t, 1, runs[id], "run %s is several events", id)
	}
	require.LessOrEqual(t, exceptions, e.Exceptions, "exceptions")
	missing := 0
	for id, run := range e.runs {
		if run.withoutException && runs[id] == 0 {
			missing++
		}
	}
	if missing > 0 || exceptions < e.Exceptions-e.handled {
		return fmt.Errorf(
			"%d of %d exceptions are reported, and %d of %d failed runs are not", exceptions, e.Exceptions, missing,
			e.WithoutException,
		)
	}
	return nil
}

// expectSums compares what Prometheus has, across restarts of the metrics collector, with what was emitted.
func (r *rig) expectSums(t *testing.T, e emitted) {
	t.Helper()
	for expr, want := range map[string]int{
		"http_server_duration_milliseconds_count": e.Requests,
		"http_server_error_count_total":           e.Errors,
		"app_workflow_run_total":                  e.Ended(),
	} {
		sum := "sum(max_over_time(" + expr + "[1d]))"
		wait.For(t, sum, func(ctx context.Context) error {
			got, err := r.prometheus.Value(ctx, sum)
			if err == nil && got != float64(want) {
				err = fmt.Errorf("%s is %v, expected %d", sum, got, want)
			}
			return err
		})
	}
}
