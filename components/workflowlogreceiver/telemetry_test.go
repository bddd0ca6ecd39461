// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestOwnTelemetry(t *testing.T) {
	own := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, own.Shutdown(context.Background())) })
	set := receivertest.NewNopSettings(metadata.Type)
	set.ID, set.TelemetrySettings = component.NewID(metadata.Type), own.NewTelemetrySettings()
	cfg := checkpointConfig()
	cfg.StartAt = noon.Format(time.RFC3339)
	created, err := newReceiver(set, cfg, func() {})
	require.NoError(t, err)
	into := &sink{}
	created.logs = into
	p := created.newPoller(nil, created.newStore(newMemory()), nil)

	run := func(id, status string, createdAt time.Time) source.Run {
		r := source.Run{Key: source.Key{ID: id, CreatedAt: createdAt}, Status: status}
		if outcome.HasEnded(&r) {
			r.FinishedAt = createdAt
		}
		return r
	}
	db := &fakeDatabase{now: noon.Add(25 * time.Hour), runs: []source.Run{
		run("before", difysemconv.StatusFailed, noon.Add(-time.Hour)),
		run("stuck", difysemconv.StatusRunning, noon),
		run("ended", difysemconv.StatusFailed, db25),
	}, nodes: []source.Node{{RunID: "ended", Type: "llm", Metadata: "{"}}}
	require.NoError(t, p.inspect(t.Context(), db))
	require.NoError(t, p.begin(t.Context(), db))
	require.NoError(t, p.poll(t.Context(), db, db.clock()))
	db.runs = append(db.runs, run("late", difysemconv.StatusStopped, db25.Add(-time.Minute)))
	refusals := 1
	into.setRefuse(func() error {
		refusals--
		if refusals >= 0 {
			return errRefused
		}
		return nil
	})
	require.NoError(t, p.poll(t.Context(), db, db.clock()))

	of := func(outcome string, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("outcome", outcome))}
	}
	one := []metricdata.DataPoint[int64]{{Value: 1}}
	same := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualWorkflowLogRuns(t, own, []metricdata.DataPoint[int64]{
		of("delivered", 2), of("stuck", 1), of("before_start", 1),
	}, same)
	metadatatest.AssertEqualWorkflowLogLateRuns(t, own, one, same)
	metadatatest.AssertEqualWorkflowLogOpenRuns(t, own, one, same)
	metadatatest.AssertEqualWorkflowLogDeliverRetries(t, own, one, same)
	metadatatest.AssertEqualWorkflowLogUsageUnreadable(t, own, one, same)
}

// db25 is one second before the clock of the test.
var db25 = noon.Add(25*time.Hour - time.Second)
