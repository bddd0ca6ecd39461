// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-dify/otelcol-dify/components/internal/sharedinstance"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/diagnose"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

// NewFactory returns the factory of the workflow_log receiver.
func NewFactory() receiver.Factory {
	shared := &instances{}
	return receiver.NewFactory(
		metadata.Type, createDefaultConfig, receiver.WithLogs(shared.createLogs, metadata.LogsStability),
		receiver.WithMetrics(shared.createMetrics, metadata.MetricsStability),
	)
}

// instances gives the logs and the metrics pipeline of one configuration the same receiver: both are fed by one poller
// and one checkpoint.
type instances struct {
	byConfig sharedinstance.Map[*Config, *workflowLogReceiver]
}

func (s *instances) get(set receiver.Settings, cfg *Config) (*workflowLogReceiver, error) {
	return s.byConfig.Acquire(cfg, func() (*workflowLogReceiver, error) {
		return newReceiver(set, cfg, func() { s.byConfig.Forget(cfg) })
	})
}

func (s *instances) createLogs(
	_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs,
) (receiver.Logs, error) {
	r, err := s.get(set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	r.logs = next
	return r, nil
}

func (s *instances) createMetrics(
	_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics,
) (receiver.Metrics, error) {
	r, err := s.get(set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	r.metrics = next
	return r, nil
}

// Diagnose connects to the database of a configuration and checks it for `difyctl doctor`, without reading rows. reads
// reports whether a collector that runs here reads the same database.
func Diagnose(ctx context.Context, cfg *Config, reads bool) []check.Result {
	connector, err := (&workflowLogReceiver{cfg: cfg}).connector(ctx)
	if err != nil {
		return []check.Result{check.Failed("database: connection", err.Error(), "the files of `workflow_log::tls`")}
	}
	return diagnose.Database(ctx, connector, diagnose.Settings{
		Address: cfg.address(), Explain: cfg.server().Explain, Reads: reads,
	})
}
