// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"

	"github.com/otelcol-dify/otelcol-dify/components/internal/storageclient"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/enrich"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/health"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/mysql"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/postgres"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/record"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// workflowLogReceiver is one reader of a database, shared by the logs and the metrics pipelines of its configuration.
type workflowLogReceiver struct {
	cfg       *Config
	set       receiver.Settings
	telemetry *metadata.TelemetryBuilder
	obs       *receiverhelper.ObsReport
	forget    func()
	status    health.Status
	longest   time.Duration // pause between two offers to a pipeline that refuses

	logs    consumer.Logs
	metrics consumer.Metrics

	mu      sync.Mutex // guards what follows
	started int        // pipelines that have started
	client  storage.Client
	cancel  context.CancelFunc
	stopped bool
	workers sync.WaitGroup
}

func newReceiver(set receiver.Settings, cfg *Config, forget func()) (*workflowLogReceiver, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             set.ID,
		Transport:              cfg.protocol(),
		LongLivedCtx:           true,
		ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	return &workflowLogReceiver{cfg: cfg, set: set, telemetry: telemetry, obs: obs, forget: forget, longest: deliver.MaxRetryInterval}, nil
}

// Start is called once by each pipeline; the last call starts the work: before it, exporters of the other pipeline may
// not have started, and a persistent queue that is offered something then panics. The database may be away.
func (r *workflowLogReceiver) Start(ctx context.Context, host component.Host) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Add(host)
	r.started++
	if r.started != r.pipelines() || r.stopped {
		return nil
	}
	connector, err := r.connector(ctx)
	if err != nil {
		return err
	}
	client, err := storageclient.Open(ctx, host, "storage", *r.cfg.Storage, storageclient.Owner{Kind: component.KindReceiver, ID: r.set.ID})
	if err != nil {
		return err
	}
	state, err := loadState(ctx, client, r.cfg)
	if err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	rd := r.newReader(connector, client, state)
	if err := r.telemetry.RegisterWorkflowLogCheckpointAgeCallback(rd.fresh.Observe); err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	r.client = client
	r.work(ctx, rd)
	return nil
}

func (r *workflowLogReceiver) pipelines() int {
	n := 0
	if r.logs != nil {
		n++
	}
	if r.metrics != nil {
		n++
	}
	return n
}

func (r *workflowLogReceiver) connector(ctx context.Context) (source.Connector, error) {
	tlsConfig, err := r.cfg.TLS.LoadTLSConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("`tls`: %w", err)
	}
	set := source.Settings{
		Host:             r.cfg.Host,
		Port:             r.cfg.port(),
		Username:         r.cfg.Username,
		Password:         string(r.cfg.Password),
		Database:         r.cfg.Database,
		TLS:              tlsConfig,
		StatementTimeout: r.cfg.StatementTimeout,
	}
	if r.cfg.protocol() == driverPostgreSQL {
		return postgres.NewConnector(set)
	}
	return mysql.NewConnector(set)
}

func (r *workflowLogReceiver) newReader(connector source.Connector, client storage.Client, s *state) *reader {
	resource, scope := record.NewResource(r.cfg.address()), pcommon.NewInstrumentationScope()
	scope.SetName(metadata.ScopeName)
	scope.SetVersion(r.set.BuildInfo.Version)
	retrying := func(ctx context.Context) { r.telemetry.WorkflowLogDeliverRetries.Add(ctx, 1) }
	rd := &reader{
		cfg:       r.cfg,
		logger:    r.set.Logger,
		telemetry: r.telemetry,
		status:    &r.status,
		connector: connector,
		client:    client,
		state:     s,
		enricher:  enrich.New(),
		deliverer: deliver.NewLogs(r.logs, r.obs, retrying, r.set.Logger, r.longest),
		recorder:  &record.Builder{Resource: resource, Scope: scope, MaxRunAge: r.cfg.MaxRunAge, OutcomeWait: r.cfg.OutcomeWait},
	}
	rd.database = health.NewFailureLog(r.set.Logger, "Reading Dify's database failed; the receiver retries until it succeeds, and no run is lost", "Reading Dify's database works again")
	rd.storage = health.NewFailureLog(r.set.Logger, "Saving the checkpoint failed; the receiver retries until it succeeds", "Saving the checkpoint works again")
	if r.metrics != nil {
		rd.emitter = deliver.NewMetrics(r.metrics, r.obs, r.cfg.MetricsInterval, r.set.Logger)
	}
	return rd
}

// work starts the goroutines. Their context is their own: Start's ends with Start.
func (r *workflowLogReceiver) work(ctx context.Context, rd *reader) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel = cancel
	r.workers.Go(func() { rd.run(ctx) })
	if rd.emitter != nil {
		r.workers.Go(func() { rd.emitter.Run(ctx) })
	}
}

// Shutdown stops the work when the first pipeline calls it. What was not taken by then is told after the next start.
func (r *workflowLogReceiver) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	r.stopped = true
	r.forget()
	defer r.telemetry.Shutdown()
	if r.client == nil {
		return nil
	}
	r.cancel()
	done := make(chan struct{})
	go func() {
		r.workers.Wait()
		close(done)
	}()
	select {
	case <-done:
		return r.client.Close(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}
