// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/checkpoint"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

var errCut = errors.New("the connection was cut")

// cutDatabase returns one page, then its connection fails, and the next connection cannot even read the clock.
type cutDatabase struct {
	*fakeDatabase
	pages int
	cut   bool
}

func (d *cutDatabase) Connect(context.Context) (source.Conn, error) { return d, nil }

func (d *cutDatabase) Now(ctx context.Context, back time.Duration) (source.Clock, error) {
	if d.cut {
		return source.Clock{}, errCut
	}
	return d.fakeDatabase.Now(ctx, back)
}

func (d *cutDatabase) DetailsAndRunsAfter(
	ctx context.Context, runs []*source.Run, after source.Position, limit int,
) (source.Details, []source.Run, error) {
	d.pages++
	if d.pages > 1 {
		d.cut = true
		return source.Details{}, nil, errCut
	}
	return d.fakeDatabase.DetailsAndRunsAfter(ctx, runs, after, limit)
}

// A counter that a new connection publishes must be in the checkpoint: otherwise it would decrease after a crash.
func TestPublishedIsSaved(t *testing.T) {
	w := newWorld(t, 0, tracker.DefaultLimits)
	for range 2 * w.cfg.PageSize {
		w.beginRun()
	}
	w.commit(1)
	for range 20 {
		w.endRun()
	}
	w.poller.saver.metricsInterval = time.Nanosecond // no series is new
	w.poller.saver.metrics = deliver.NewMetrics(consumertest.NewNop(), nil, time.Hour, w.poller.logger)
	w.poller.saver.saved = time.Now().Add(time.Hour) // no save is due
	db := &cutDatabase{fakeDatabase: w.db}
	w.poller.connector = db

	require.ErrorIs(t, w.poller.session(t.Context()), errCut)
	require.ErrorIs(t, w.poller.session(t.Context()), errCut)
	stored, err := checkpoint.NewStore(w.storage, "", w.cfg.address(), "").Load(t.Context(), w.cfg.limits())
	require.NoError(t, err)
	md, ok := w.poller.saver.metrics.Snapshot()
	require.True(t, ok)
	published := pdatatest.Counter(md, difysemconv.MetricRunTotal, nil)
	require.Positive(t, published)
	require.InDelta(t, pdatatest.Counter(built(stored.Metrics), difysemconv.MetricRunTotal, nil), published, 0)
}
