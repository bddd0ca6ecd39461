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

	"github.com/otelcol-dify/otelcol-dify/components/internal/installation"
	"github.com/otelcol-dify/otelcol-dify/components/internal/storageclient"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/backlog"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/checkpoint"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/enrich"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/growth"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/health"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/mysql"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/postgres"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/record"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// workflowLogReceiver reads one database, and is shared by the logs and the metrics pipeline of its configuration.
type workflowLogReceiver struct {
	cfg       *Config
	set       receiver.Settings
	telemetry *metadata.TelemetryBuilder
	obs       *receiverhelper.ObsReport
	forget    func()
	status    health.Status
	// maxRetryInterval is the longest pause between two attempts to deliver to a pipeline that refuses.
	maxRetryInterval time.Duration

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
	telemetry, err := metadata.NewTelemetryBuilder(installation.Telemetry(set.TelemetrySettings, cfg.Installation))
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
	return &workflowLogReceiver{
		cfg:              cfg,
		set:              set,
		telemetry:        telemetry,
		obs:              obs,
		forget:           forget,
		maxRetryInterval: deliver.MaxRetryInterval,
	}, nil
}

// Start is called once by each pipeline. The last call starts the goroutines: before it, exporters of the other
// pipeline may not have started, and a persistent queue that receives something then panics. The database need not be
// reachable.
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
	client, err := storageclient.Open(
		ctx, host, "storage", *r.cfg.Storage, storageclient.Owner{Kind: component.KindReceiver, ID: r.set.ID},
	)
	if err != nil {
		return err
	}
	store := r.newStore(client)
	state, err := store.Load(ctx, r.cfg.limits())
	if err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	p := r.newPoller(connector, store, state)
	if err := r.telemetry.RegisterWorkflowLogCheckpointAgeCallback(p.fresh.Observe); err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	r.client = client
	r.work(ctx, p)
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
		Schema:           r.cfg.Schema,
		TimeZone:         r.cfg.TimeZone,
		StatementTimeout: r.cfg.StatementTimeout,
	}
	if r.cfg.protocol() == driverPostgreSQL {
		return postgres.NewConnector(set)
	}
	return mysql.NewConnector(set)
}

func (r *workflowLogReceiver) newStore(client storage.Client) *checkpoint.Store {
	return checkpoint.NewStore(client, r.cfg.Storage.String(), r.cfg.address(), r.cfg.AdoptCheckpoint)
}

func (r *workflowLogReceiver) newPoller(
	connector source.Connector, store *checkpoint.Store, state *checkpoint.State,
) *poller {
	resource, scope := record.NewResource(r.cfg.address()), pcommon.NewInstrumentationScope()
	scope.SetName(metadata.ScopeName)
	scope.SetVersion(r.set.BuildInfo.Version)
	logger := r.set.Logger
	database := health.NewFailureLog(logger,
		"Reading Dify's database failed; the receiver retries until it succeeds, and no run is lost",
		"Reading Dify's database works again")
	s := &saver{
		store: store, state: state, resource: resource, scope: scope,
		tables: growth.NewReader(r.cfg.TablesInterval, logger),
		backlog: backlog.NewReader(backlog.Settings{
			Interval: r.cfg.TablesInterval, MaxScanSize: r.cfg.MaxScanSize, Logger: logger,
			Observe: func(ctx context.Context, part source.Part, read bool) { observePart(ctx, r.telemetry, part, read) },
		}),
		pollInterval: r.cfg.PollInterval, metricsInterval: r.cfg.MetricsInterval, telemetry: r.telemetry, status: &r.status,
		storage: health.NewFailureLog(logger,
			"Saving the checkpoint failed; the receiver retries until it succeeds",
			"Saving the checkpoint works again"),
	}
	if r.metrics != nil {
		s.metrics = deliver.NewMetrics(r.metrics, r.obs, r.cfg.MetricsInterval, logger)
	}
	retrying := func(ctx context.Context) { r.telemetry.WorkflowLogDeliverRetries.Add(ctx, 1) }
	fresh := &health.Freshness{}
	return &poller{
		cfg: r.cfg, logger: logger, telemetry: r.telemetry, connector: connector, enricher: enrich.New(),
		saver: s, status: &r.status, database: database, fresh: fresh,
		lease: &lease{
			logger: logger, telemetry: r.telemetry, status: &r.status, database: database, fresh: fresh, metrics: s.metrics,
		},
		processor: &processor{
			logger: logger, telemetry: r.telemetry, saver: s,
			logs: deliver.NewLogs(r.logs, r.obs, retrying, logger, r.maxRetryInterval),
			records: &record.Builder{
				Resource: resource, Scope: scope, MaxRunAge: r.cfg.MaxRunAge, OutcomeWait: r.cfg.OutcomeWait,
			},
		},
	}
}

// work starts the goroutines, with a context of their own: Start's context ends with Start.
func (r *workflowLogReceiver) work(ctx context.Context, p *poller) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel = cancel
	r.workers.Go(func() { p.run(ctx) })
	if p.saver.publishes() {
		r.workers.Go(func() { p.saver.metrics.Run(ctx) })
	}
}

// Shutdown stops the goroutines when the first pipeline calls it. Runs that the pipeline has not accepted by then are
// delivered after the next start.
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
