// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/storageclient"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/setup"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/store"
)

var (
	_ extensionmiddleware.HTTPClient              = (*bulkExtension)(nil)
	_ extensioncapabilities.PipelineWatcher       = (*bulkExtension)(nil)
	_ extensioncapabilities.ConfigSnapshotWatcher = (*bulkExtension)(nil)
	_ extensioncapabilities.Dependent             = (*bulkExtension)(nil)
)

// bulkExtension is the extension's lifecycle: it owns the goroutines, the storage and the moment when requests are
// released.
type bulkExtension struct {
	cfg       *Config
	id        component.ID
	settings  component.TelemetrySettings
	logger    *zap.Logger
	telemetry telemetry
	rewriter  *bulkapi.Rewriter

	replayInterval time.Duration

	phases *deliver.Phases
	tasks  sync.WaitGroup

	// Set by Start.
	store     *store.Store
	deliverer *deliver.Deliverer
	clients   []*http.Client
}

func newExtension(cfg *Config, set extension.Settings) (*bulkExtension, error) {
	recorder, err := newTelemetry(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &bulkExtension{
		cfg:            cfg,
		id:             set.ID,
		settings:       set.TelemetrySettings,
		logger:         set.Logger,
		telemetry:      recorder,
		rewriter:       bulkapi.NewRewriter(cfg.IndexKeys, cfg.retention(), cfg.Format),
		replayInterval: deliver.ReplayInterval,
		phases:         deliver.NewPhases(),
	}, nil
}

// Dependencies makes the service start storage and authenticators before the extension, and stop them after it.
func (e *bulkExtension) Dependencies() []component.ID {
	var ids []component.ID
	if e.cfg.Storage != nil {
		ids = append(ids, *e.cfg.Storage)
	}
	for _, client := range []*confighttp.ClientConfig{&e.cfg.HTTP, &e.cfg.Setup.Dashboards} {
		if client.Auth.HasValue() {
			ids = append(ids, client.Auth.Get().AuthenticatorID)
		}
		for _, middleware := range client.Middlewares {
			ids = append(ids, middleware.ID)
		}
	}
	return ids
}

// Start opens the storage and begins the setup of OpenSearch and the replay of stored documents. It does not wait for
// OpenSearch.
func (e *bulkExtension) Start(ctx context.Context, host component.Host) error {
	stored, err := e.openStorage(ctx, host)
	if err != nil {
		return err
	}
	opensearch, err := e.client(ctx, host, "http", &e.cfg.HTTP, nil)
	if err != nil {
		return errors.Join(err, stored.Close(ctx))
	}
	dashboards, err := e.client(ctx, host, "setup::dashboards", &e.cfg.Setup.Dashboards, setup.DashboardsHeader())
	if err != nil {
		return errors.Join(err, stored.Close(ctx))
	}
	if err := e.telemetry.observe(stored); err != nil {
		return errors.Join(err, stored.Close(ctx))
	}
	e.telemetry.countFromZero(ctx)
	e.store = stored
	e.run(host, opensearch, dashboards) //nolint:contextcheck // Start's context ends with Start
	return nil
}

// run starts the goroutines.
func (e *bulkExtension) run(host component.Host, opensearch, dashboards *deliver.Client) {
	retry := deliver.RetrySettings{Initial: e.cfg.Retry.InitialInterval, Max: e.cfg.Retry.MaxInterval}
	report := func(event *componentstatus.Event) { componentstatus.ReportStatus(host, event) }
	outage := deliver.NewOutage(retry, e.logger, e.telemetry, report)
	task := setup.NewTask(setup.Settings{
		Enabled: e.cfg.Setup.Enabled,
		Options: setup.Options{
			DeadLetterIndex:    e.cfg.DeadLetterIndex,
			AutoExpandReplicas: e.cfg.Setup.AutoExpandReplicas,
			TraceViews:         e.cfg.Format == bulkapi.FormatOTelV1,
			Shards:             e.cfg.Setup.NumberOfShards,
			Codec:              e.cfg.Setup.Codec,
		},
		RetentionDays: e.cfg.Setup.RetentionDays,
		Timeout:       e.cfg.AttemptTimeout,
		Retry:         retry,
		OpenSearch:    opensearch,
		Dashboards:    dashboards,
		Outage:        outage,
		Logger:        e.logger,
	})
	e.deliverer = deliver.New(deliver.Settings{
		AttemptTimeout:  e.cfg.AttemptTimeout,
		DeadLetterIndex: e.cfg.DeadLetterIndex,
		MaxDeferred:     e.cfg.MaxDeferredSize,
		MaxDocument:     e.cfg.MaxDocumentSize,
		MaxDeadLetter:   e.cfg.MaxDeadLetterSize,
		Client:          opensearch,
		Ready:           task.Ready(),
		Store:           e.store,
		Outage:          outage,
		Phases:          e.phases,
		Logger:          e.logger,
		Telemetry:       e.telemetry,
	})
	e.tasks.Go(func() { task.Run(e.phases.Life, e.phases.Releasing) })
	e.tasks.Go(func() { task.RunDashboards(e.phases.Life, e.phases.Releasing) })
	e.tasks.Go(func() { e.deliverer.Replay(e.replayInterval) })
}

func (e *bulkExtension) openStorage(ctx context.Context, host component.Host) (*store.Store, error) {
	if e.cfg.Storage == nil {
		return nil, errors.New("`storage` is required")
	}
	owner := storageclient.Owner{Kind: component.KindExtension, ID: e.id}
	client, err := storageclient.Open(ctx, host, "storage", *e.cfg.Storage, owner)
	if err != nil {
		return nil, err
	}
	stored, err := store.Open(ctx, client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage %q: %w", e.cfg.Storage, err), client.Close(ctx))
	}
	return stored, nil
}

// client returns a client of the extension's own, or nil without an endpoint. key is that of settings, for errors.
func (e *bulkExtension) client(
	ctx context.Context, host component.Host, key string, settings *confighttp.ClientConfig, header http.Header,
) (*deliver.Client, error) {
	if settings.Endpoint == "" {
		return nil, nil
	}
	client, err := settings.ToClient(ctx, host.GetExtensions(), e.settings)
	if err != nil {
		return nil, fmt.Errorf("`%s`: %w", key, err)
	}
	e.clients = append(e.clients, client)
	return deliver.NewClient(client, settings.Endpoint, header), nil
}

// GetHTTPRoundTripper adds the middleware to an exporter's HTTP client.
func (e *bulkExtension) GetHTTPRoundTripper(
	context.Context,
) (extensionmiddleware.WrapHTTPRoundTripperFunc, error) {
	if e.deliverer == nil {
		return nil, fmt.Errorf("%q is not started: list it among `service::extensions`", e.id)
	}
	return func(_ context.Context, base http.RoundTripper) (http.RoundTripper, error) {
		return e.deliverer.Wrap(e.rewriter, base), nil
	}, nil
}

// Ready has nothing to do: requests are accepted from the start.
func (*bulkExtension) Ready() error { return nil }

// NotReady is called before the pipelines stop: from now on, what can't be delivered at once is stored.
func (e *bulkExtension) NotReady() error {
	e.phases.Release()
	return nil
}

// Shutdown is called after the pipelines have stopped.
func (e *bulkExtension) Shutdown(ctx context.Context) error {
	e.phases.End()
	e.tasks.Wait()
	e.telemetry.Shutdown()
	for _, client := range e.clients {
		client.CloseIdleConnections()
	}
	if e.store == nil {
		return nil
	}
	if items, bytes := e.store.Size(); items > 0 {
		e.logger.Info("Documents are in storage and are delivered after the next start",
			zap.Int64("documents", items), zap.Int64("bytes", bytes))
	}
	return e.store.Close(ctx)
}
