// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
)

// testContract runs the collector's own check of a receiver's duties towards its pipeline.
func testContract(t *testing.T, db *database) {
	cfg := db.config()
	cfg.PageSize = 4
	receivertest.CheckConsumeContract(receivertest.CheckConsumeContractParams{
		T:             t,
		Factory:       contractFactory(),
		Signal:        pipeline.SignalLogs,
		Config:        cfg,
		Generator:     &rowGenerator{t: t, db: db},
		GenerateCount: 15,
	})
}

// contractFactory creates receivers that bring their own host, since the checker's has no storage, and that give each
// record the ID that the checker looks for.
func contractFactory() receiver.Factory {
	return receiver.NewFactory(metadata.Type, createDefaultConfig, receiver.WithLogs(
		func(ctx context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
			named, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
				for record := range values(logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()) {
					record.Attributes().
						PutStr(receivertest.UniqueIDAttrName, pdatatest.Str(record.Attributes(), difysemconv.AttrWorkflowRunID))
				}
				return next.ConsumeLogs(ctx, logs)
			})
			if err != nil {
				return nil, err
			}
			created, err := NewFactory().CreateLogs(ctx, set, cfg, named)
			if err != nil {
				return nil, err
			}
			// The checker refuses at random and waits 5 s in all: seven refusals in a row would take longer.
			created.(*workflowLogReceiver).maxRetryInterval = 50 * time.Millisecond
			return hosted{created}, nil
		}, metadata.LogsStability))
}

type hosted struct{ receiver.Logs }

func (h hosted) Start(ctx context.Context, _ component.Host) error {
	return h.Logs.Start(ctx, newHost(newMemory()))
}

// rowGenerator inserts a few runs at a time.
type rowGenerator struct {
	t  *testing.T
	db *database
}

func (*rowGenerator) Start() {}

func (g *rowGenerator) Stop() { require.NoError(g.t, g.db.run("DELETE FROM workflow_runs")) }

func (g *rowGenerator) Generate() []receivertest.UniqueIDAttrVal {
	var ids []receivertest.UniqueIDAttrVal
	for range 3 {
		run := newRun()
		require.NoError(g.t, g.db.run(run.insertSQL()))
		ids = append(ids, receivertest.UniqueIDAttrVal(run.id))
	}
	return ids
}
