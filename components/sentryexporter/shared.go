// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/getsentry/sentry-go"

	"github.com/otelcol-dify/otelcol-dify/components/internal/storageclient"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/convert"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/dedup"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/delivery"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/known"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/route"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

const (
	// reportInterval is how often discards are reported to servers to which no envelope carries them.
	reportInterval = time.Minute

	// sdkName names this exporter to Sentry, together with the version of the build.
	sdkName = "otelcol-dify.sentry"

	// errorsQueue is the name of the errors' queue in telemetry and storage. A component ID cannot have such a name.
	errorsQueue = "~errors"
)

// sharedState is what the traces and the logs instance of one exporter have in common: the queue of errors, the way to
// Sentry and what was sent. It starts with the first instance and ends with the last.
type sharedState struct {
	cfg        *Config
	set        exporter.Settings
	logger     *zap.Logger
	telemetry  *metadata.TelemetryBuilder
	router     *route.Router
	identities *resource.Cache
	converter  *convert.Converter
	seen       *dedup.Seen
	pending    *tracetree.Pending
	waiting    *waitingErrors
	known      *known.Known
	steps      *failedSteps

	destinations *delivery.Destinations
	counters     *delivery.Counters
	pusher       *delivery.Pusher
	errors       *delivery.Queues

	now     func() time.Time
	release func() (last bool) // releases one reference

	startOnce sync.Once
	startErr  error
	started   bool
	stop      chan struct{}
	done      sync.WaitGroup
}

func newSharedState(
	ctx context.Context,
	set exporter.Settings,
	cfg *Config,
	telemetry *metadata.TelemetryBuilder,
) (*sharedState, error) {
	destinations, err := delivery.NewDestinations(string(cfg.DSN), cfg.routeDSNs())
	if err != nil {
		return nil, err
	}
	sdk := sentry.SdkInfo{Name: sdkName, Version: set.BuildInfo.Version}
	s := &sharedState{
		cfg: cfg, set: set, logger: set.Logger, telemetry: telemetry, now: time.Now,
		router:       route.NewRouter(cfg.routeRules()),
		identities:   &resource.Cache{Release: cfg.Release, Environment: cfg.Environment},
		converter:    convert.New(cfg.convertSettings(sdk)),
		seen:         dedup.NewSeen(),
		known:        known.New(),
		steps:        newFailedSteps(),
		pending:      tracetree.NewPending(cfg.RootWait, cfg.RootWaitMiB<<20),
		destinations: destinations,
		counters:     delivery.NewCounters(telemetry, destinations, cfg.ClientReports),
		stop:         make(chan struct{}),
	}
	s.waiting = newWaitingErrors(s)
	s.pusher = delivery.NewPusher(ctx, delivery.PusherSettings{
		Destinations: destinations, Counters: s.counters, Logger: set.Logger, UserAgent: sdk.Name + "/" + sdk.Version,
		Retry: cfg.RetryConfig, MaxAge: cfg.MaxAge, Durable: cfg.queueStorage() != nil,
		Now: func() time.Time { return s.now() },
	})
	errorsSet := set
	errorsSet.ID = component.NewIDWithName(set.ID.Type(), set.ID.Name()+errorsQueue)
	if s.errors, err = s.newQueues(ctx, errorsSet, delivery.KindErrors, openLogsQueue); err != nil {
		return nil, fmt.Errorf("create the queue of errors: %w", err)
	}
	if err := s.observe(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *sharedState) observe() error {
	return errors.Join(
		s.telemetry.RegisterExporterSentryRunsWaitingCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(s.waiting.store.Len()))
			return nil
		}),
		s.telemetry.RegisterExporterSentrySpansWaitingCallback(func(_ context.Context, o metric.Int64Observer) error {
			spans, _ := s.pending.Size()
			o.Observe(int64(spans))
			return nil
		}),
		s.telemetry.RegisterExporterSentrySpansWaitingSizeCallback(func(_ context.Context, o metric.Int64Observer) error {
			_, size := s.pending.Size()
			o.Observe(int64(size))
			return nil
		}),
	)
}

func (s *sharedState) newQueues(
	ctx context.Context, set exporter.Settings, kind string, open func(*Config) delivery.OpenFunc,
) (*delivery.Queues, error) {
	return delivery.NewQueues(ctx, delivery.QueuesSettings{
		Settings: set, Kind: kind, Open: open(s.cfg), Push: s.pusher.Push, Destinations: s.destinations,
		Storage: s.cfg.queueStorage(),
	})
}

// start is called by each instance; the first call starts the shared state.
func (s *sharedState) start(ctx context.Context, host component.Host) error {
	s.startOnce.Do(func() { s.startErr = s.doStart(ctx, host) })
	return s.startErr
}

func (s *sharedState) doStart(ctx context.Context, host component.Host) error {
	client, err := s.cfg.ClientConfig.ToClient(ctx, host.GetExtensions(), s.set.TelemetrySettings)
	if err != nil {
		return fmt.Errorf("create the HTTP client: %w", err)
	}
	s.pusher.SetClient(client)
	if err := s.openWaiting(ctx, host); err != nil {
		return err
	}
	if err := s.errors.Start(ctx, host); err != nil {
		return errors.Join(err, s.waiting.store.Close(ctx))
	}
	s.counters.InitLosses(ctx)
	s.started = true
	s.done.Go(s.waiting.sendDue)
	s.done.Go(s.postReports)
	return nil
}

func (s *sharedState) openWaiting(ctx context.Context, host component.Host) error {
	if s.cfg.Storage == nil {
		return nil
	}
	client, err := storageclient.Open(ctx, host, "storage", *s.cfg.Storage,
		storageclient.Owner{Kind: component.KindExporter, ID: s.set.ID, Name: "runs"})
	if err != nil {
		return err
	}
	if err := s.waiting.store.Open(ctx, client); err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	return nil
}

// shutdown is called once by each instance, after its own queues are shut down; the last call ends the shared state.
func (s *sharedState) shutdown(ctx context.Context) error {
	if !s.release() {
		return nil
	}
	defer s.telemetry.Shutdown()
	close(s.stop)
	s.done.Wait()
	if s.started && !s.waiting.store.Durable() {
		s.waiting.sendAll(ctx)
	}
	err := s.errors.Shutdown(ctx)
	s.pusher.Shutdown(ctx)
	return errors.Join(err, s.waiting.store.Close(ctx))
}

// postReports reports discards from time to time. It has its own goroutine, so that a server that does not respond
// delays no failed runs.
func (s *sharedState) postReports() {
	ticker := time.NewTicker(reportInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			s.pusher.PostReports(s.pusher.Closing())
		}
	}
}

// queueEvents queues error events. Each is sent once, and the failed runs that it supersedes are not.
func (s *sharedState) queueEvents(ctx context.Context, events []*item.Item) error {
	// What was sent before supersedes runs as well: maybe it was recorded on a span that did not have its run's ID.
	var superseded []string
	for _, it := range events {
		superseded = append(superseded, it.Supersedes...)
	}
	fresh, reported := s.steps.split(events, s.now())
	fresh, duplicates := s.seen.Split(fresh, s.now())
	s.counters.DiscardedItems(ctx, item.ReasonDuplicate, append(duplicates, reported...)...)
	lost, err := s.queueItems(ctx, s.errors, fresh)
	if err == nil && lost == 0 {
		s.known.Reported(s.now(), fresh...)
		s.waiting.supersede(ctx, superseded, fresh...)
	}
	return err
}

// queueItems puts items into their queues. Items that find no room are counted, and forgotten by seen. An error means
// that the client should send again what failed.
func (s *sharedState) queueItems(ctx context.Context, to *delivery.Queues, items []*item.Item) (lost int, err error) {
	dropped, failed, err := to.Queue(ctx, s.withDestination(ctx, items))
	s.seen.Forget(failed...)
	s.seen.Forget(dropped...)
	s.counters.DiscardedItems(ctx, item.ReasonQueueFull, dropped...)
	return len(dropped), err
}

// withDestination removes and counts the items whose route has no DSN.
func (s *sharedState) withDestination(ctx context.Context, items []*item.Item) []*item.Item {
	out := make([]*item.Item, 0, len(items))
	for _, it := range items {
		if s.destinations.Of(it.Route) == nil {
			s.counters.DiscardedItems(ctx, item.ReasonOff, it)
			continue
		}
		out = append(out, it)
	}
	return out
}
