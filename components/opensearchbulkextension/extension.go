// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/storageclient"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
)

var (
	_ extensionmiddleware.HTTPClient              = (*bulkExtension)(nil)
	_ extensioncapabilities.PipelineWatcher       = (*bulkExtension)(nil)
	_ extensioncapabilities.ConfigSnapshotWatcher = (*bulkExtension)(nil)
	_ extensioncapabilities.Dependent             = (*bulkExtension)(nil)
)

// bulkExtension is the shell: it owns the goroutines, the storage and the moment when requests are released.
type bulkExtension struct {
	cfg       *Config
	id        component.ID
	settings  component.TelemetrySettings
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	rewriter  *rewriter

	replayEvery time.Duration

	// releasing ends when the collector begins to stop its pipelines, cutoff a grace later, life when it stops the extension.
	releasing context.Context
	release   context.CancelFunc
	cutoff    context.Context
	cut       context.CancelFunc
	life      context.Context
	end       context.CancelFunc
	tasks     sync.WaitGroup

	// Set by Start.
	deliverer  *deliverer
	setup      *setupTask
	ownClients []*http.Client

	lastTarget atomic.Pointer[exporterTarget]
	firstSeen  chan struct{}
	seenOnce   sync.Once
}

func newExtension(cfg *Config, set extension.Settings) (*bulkExtension, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &bulkExtension{
		cfg:       cfg,
		id:        set.ID,
		settings:  set.TelemetrySettings,
		logger:    set.Logger,
		telemetry: telemetry,
		rewriter: &rewriter{
			indexKeys:       cfg.IndexKeys,
			deadLetterIndex: cfg.DeadLetterIndex,
			newID:           rand.Text,
			now:             time.Now,
		},
		replayEvery: replayInterval,
		firstSeen:   make(chan struct{}),
	}
	e.releasing, e.release = context.WithCancel(context.Background())
	e.cutoff, e.cut = context.WithCancel(context.Background())
	e.life, e.end = context.WithCancel(context.Background())
	return e, nil
}

// Dependencies makes the service start storage and login before the extension, and stop them after it.
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

// Start opens the storage and begins the set-up of OpenSearch and the replay of stored documents. It does not wait for OpenSearch.
func (e *bulkExtension) Start(ctx context.Context, host component.Host) error {
	kept, err := e.openStorage(ctx, host)
	if err != nil {
		return err
	}
	own, err := e.ownTarget(ctx, host, "http", &e.cfg.HTTP)
	if err != nil {
		return errors.Join(err, kept.close(ctx))
	}
	dashboards, err := e.ownTarget(ctx, host, "setup::dashboards", &e.cfg.Setup.Dashboards)
	if err != nil {
		return errors.Join(err, kept.close(ctx))
	}
	if err := e.observe(kept); err != nil {
		return errors.Join(err, kept.close(ctx))
	}
	countFromZero(ctx, e.telemetry)
	shared := newOutage(e.cfg.Retry, e.logger, e.telemetry)
	shared.report = func(event *componentstatus.Event) { componentstatus.ReportStatus(host, event) }
	e.deliverer = &deliverer{
		cfg:       e.cfg,
		telemetry: e.telemetry,
		outage:    shared,
		store:     kept,
		letters:   &rejectionLog{logger: e.logger, message: "OpenSearch refused documents for good: they go to the dead-letter index"},
		lost:      &rejectionLog{logger: e.logger, message: "The dead-letter index refused documents too: they stay in storage and are tried again every ten minutes"},
		releasing: e.releasing,
	}
	if own != nil {
		e.deliverer.own = own
	}
	e.setup = newSetupTask(e.cfg, own, dashboards, shared, e.logger)
	e.tasks.Go(func() { e.setup.run(e.life, e.releasing) })
	e.tasks.Go(func() { e.setup.dashboards.run(e.life, e.releasing) })
	e.tasks.Go(e.replay)
	return nil
}

func (e *bulkExtension) openStorage(ctx context.Context, host component.Host) (*store, error) {
	if e.cfg.Storage == nil {
		return nil, errors.New("`storage` is required")
	}
	client, err := storageclient.Open(ctx, host, "storage", *e.cfg.Storage, storageclient.Owner{Kind: component.KindExtension, ID: e.id})
	if err != nil {
		return nil, err
	}
	kept, err := openStore(ctx, client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage %q: %w", e.cfg.Storage, err), client.Close(ctx))
	}
	return kept, nil
}

// ownTarget is a client of the extension's own; nil without an endpoint.
func (e *bulkExtension) ownTarget(ctx context.Context, host component.Host, key string, settings *confighttp.ClientConfig) (*ownTarget, error) {
	if settings.Endpoint == "" {
		return nil, nil
	}
	client, err := settings.ToClient(ctx, host.GetExtensions(), e.settings)
	if err != nil {
		return nil, fmt.Errorf("`%s`: %w", key, err)
	}
	e.ownClients = append(e.ownClients, client)
	return newOwnTarget(client, settings.Endpoint), nil
}

func (e *bulkExtension) observe(kept *store) error {
	return errors.Join(
		e.telemetry.RegisterOpensearchBulkStoredItemsCallback(func(_ context.Context, o metric.Int64Observer) error {
			items, _ := kept.size()
			o.Observe(items)
			return nil
		}),
		e.telemetry.RegisterOpensearchBulkStoredBytesCallback(func(_ context.Context, o metric.Int64Observer) error {
			_, bytes := kept.size()
			o.Observe(bytes)
			return nil
		}),
	)
}

// GetHTTPRoundTripper puts the middleware into an exporter's HTTP client.
func (e *bulkExtension) GetHTTPRoundTripper(context.Context) (extensionmiddleware.WrapHTTPRoundTripperFunc, error) {
	if e.deliverer == nil {
		return nil, fmt.Errorf("%q is not started: list it among `service::extensions`", e.id)
	}
	return func(_ context.Context, base http.RoundTripper) (http.RoundTripper, error) {
		return &roundTripper{ext: e, base: base}, nil
	}, nil
}

// seen remembers how the exporter reaches OpenSearch, for replay without `http::endpoint`.
func (e *bulkExtension) seen(to *exporterTarget) {
	e.lastTarget.Store(to)
	e.seenOnce.Do(func() { close(e.firstSeen) })
}

// Ready has nothing to do: requests are taken from the start.
func (*bulkExtension) Ready() error { return nil }

// NotReady comes before the pipelines stop: from now on, what can't be delivered at once is stored.
func (e *bulkExtension) NotReady() error {
	e.release()
	time.AfterFunc(releaseGrace, e.cut)
	return nil
}

// Shutdown comes after the pipelines have stopped.
func (e *bulkExtension) Shutdown(ctx context.Context) error {
	e.release()
	e.cut()
	e.end()
	e.tasks.Wait()
	e.telemetry.Shutdown()
	for _, client := range e.ownClients {
		client.CloseIdleConnections()
	}
	if e.deliverer == nil {
		return nil
	}
	if items, bytes := e.deliverer.store.size(); items > 0 {
		e.logger.Info("Documents wait in storage and are delivered after the next start", zap.Int64("documents", items), zap.Int64("bytes", bytes))
	}
	return e.deliverer.store.close(ctx)
}
