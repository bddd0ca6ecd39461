// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/storageclient"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
)

const (
	// What was told is remembered for one to two hours and up to this many events, transactions and log records.
	rememberedItems = 200_000
	rememberedFor   = time.Hour

	// reportEvery is how often discards are told where no envelope takes them along.
	reportEvery = time.Minute
	// drainFor is how long a shutdown lets requests go on; the collector is to end in five seconds.
	drainFor = 3 * time.Second

	// errorsQueue is the name of the errors' queue in telemetry and storage. A component id cannot have such a name.
	errorsQueue = "~errors"
)

// hub is what the traces and the logs instance of one exporter share: the way to Sentry, the queue of errors and what was
// told. It starts with the first instance and ends with the last.
type sharedState struct {
	cfg        *Config
	set        exporter.Settings
	logger     *zap.Logger
	telemetry  *metadata.TelemetryBuilder
	router     *router
	counters   *counters
	sender     *sender
	ignored    *ignoreRules
	identities *resource.Cache
	seen       *memory
	runs       *runs
	pending    *pendingSpans
	errors     *queues
	pusher     *pusher
	now        func() time.Time

	startOnce sync.Once
	startErr  error
	release   func() (last bool) // gives back one reference
	cancel    context.CancelFunc // of pusher.closing
	wake      chan struct{}      // a run began to wait
	stop      chan struct{}
	done      sync.WaitGroup
}

func newSharedState(ctx context.Context, set exporter.Settings, cfg *Config, telemetry *metadata.TelemetryBuilder) (*sharedState, error) {
	router, err := newRouter(cfg)
	if err != nil {
		return nil, err
	}
	h := &sharedState{
		cfg: cfg, set: set, logger: set.Logger, telemetry: telemetry, router: router, now: time.Now,
		counters:   &counters{telemetry: telemetry, router: router, reports: cfg.ClientReports},
		ignored:    newIgnoreRules(cfg.IgnoreErrors),
		seen:       newMemory(rememberedItems, rememberedFor),
		runs:       &runs{},
		identities: &resource.Cache{Release: cfg.Release, Environment: cfg.Environment},
		pending:    newPendingSpans(cfg.RootWait, cfg.RootWaitMiB<<20),
		wake:       make(chan struct{}, 1),
		stop:       make(chan struct{}),
	}
	h.sender = &sender{now: func() time.Time { return h.now() }, logger: set.Logger}
	closing, cancel := context.WithCancel(context.WithoutCancel(ctx)) // outlives the creation
	h.cancel = cancel
	h.pusher = &pusher{
		sender: h.sender, router: router, counters: h.counters, logger: set.Logger, retry: cfg.RetryConfig, maxAge: cfg.MaxAge,
		closing: closing, kept: cfg.keeps(), backedOff: map[*item.Item]struct{}{},
	}
	errorsSet := set
	errorsSet.ID = component.NewIDWithName(set.ID.Type(), set.ID.Name()+errorsQueue)
	if h.errors, err = newQueues(ctx, errorsSet, h, kindErrors, newLogsQueue); err != nil {
		return nil, fmt.Errorf("create the queue of errors: %w", err)
	}
	if err := h.observe(); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *sharedState) observe() error {
	return errors.Join(
		h.telemetry.RegisterExporterSentryRunsWaitingCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(h.runs.waiting()))
			return nil
		}),
		h.telemetry.RegisterExporterSentrySpansWaitingCallback(func(_ context.Context, o metric.Int64Observer) error {
			spans, _ := h.pending.waiting()
			o.Observe(int64(spans))
			return nil
		}),
		h.telemetry.RegisterExporterSentrySpansWaitingSizeCallback(func(_ context.Context, o metric.Int64Observer) error {
			_, size := h.pending.waiting()
			o.Observe(int64(size))
			return nil
		}),
	)
}

// start is called by each instance; the first one starts the hub.
func (h *sharedState) start(ctx context.Context, host component.Host) error {
	h.startOnce.Do(func() { h.startErr = h.doStart(ctx, host) })
	return h.startErr
}

func (h *sharedState) doStart(ctx context.Context, host component.Host) error {
	client, err := h.cfg.ClientConfig.ToClient(ctx, host.GetExtensions(), h.set.TelemetrySettings)
	if err != nil {
		return fmt.Errorf("create the HTTP client: %w", err)
	}
	// A redirect would turn the POST into a GET, be answered 200 and lose the envelope.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.sender.client = client
	if err := h.openRuns(ctx, host); err != nil {
		return err
	}
	if err := h.errors.Start(ctx, host); err != nil {
		return errors.Join(err, h.closeRuns(ctx))
	}
	h.counters.fromZero(ctx)
	h.done.Go(h.loop)
	h.done.Go(h.reportLoop)
	return nil
}

func (h *sharedState) openRuns(ctx context.Context, host component.Host) error {
	if h.cfg.Storage == nil {
		return nil
	}
	client, err := storageclient.Open(ctx, host, "storage", *h.cfg.Storage,
		storageclient.Owner{Kind: component.KindExporter, ID: h.set.ID, Name: "runs"})
	if err != nil {
		return err
	}
	h.runs.client = client
	if err := h.runs.load(ctx); err != nil {
		return errors.Join(err, h.closeRuns(ctx))
	}
	return nil
}

func (h *sharedState) closeRuns(ctx context.Context) error {
	if h.runs.client == nil {
		return nil
	}
	err := h.runs.client.Close(ctx)
	h.runs.client = nil
	return err
}

// beginShutdown is called before an instance's queue is shut down: from then on nothing is tried twice, and after a while
// what is under way is broken off.
func (h *sharedState) beginShutdown() {
	if h.pusher.draining.CompareAndSwap(false, true) {
		timer := time.AfterFunc(drainFor, h.cancel)
		context.AfterFunc(h.pusher.closing, func() { timer.Stop() })
	}
}

// shutdown is called once by each instance, after its own queue is shut down; the last one ends the hub.
func (h *sharedState) shutdown(ctx context.Context) error {
	if !h.release() {
		return nil
	}
	defer h.cancel()
	defer h.telemetry.Shutdown()
	if h.sender.client == nil { // never started
		return h.errors.Shutdown(ctx)
	}
	close(h.stop)
	h.done.Wait()
	if h.runs.client == nil {
		all := h.now().Add(h.cfg.RunWindow + time.Hour)
		h.emit(ctx, h.runs.due(all))
		h.counters.discarded(ctx, item.ReasonQueueFull, h.runs.due(all)...) // what still waits found no room
	}
	err := h.errors.Shutdown(ctx)
	h.pusher.countLost(ctx)
	h.report(ctx)
	h.sender.client.CloseIdleConnections()
	return errors.Join(err, h.closeRuns(ctx))
}

// loop tells runs whose time has come.
func (h *sharedState) loop() {
	for {
		timer := h.untilDue()
		select {
		case <-h.stop:
			timer.Stop()
			return
		case <-h.wake:
		case <-timer.C:
			h.emit(h.pusher.closing, h.runs.due(h.now()))
		}
		timer.Stop()
	}
}

// reportLoop tells what was discarded. It is not part of loop: a server that does not answer must not hold up runs.
func (h *sharedState) reportLoop() {
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-ticker.C:
			h.report(h.pusher.closing)
		}
	}
}

func (h *sharedState) untilDue() *time.Timer {
	wait := time.Minute // or until wake
	if next, ok := h.runs.next(); ok {
		wait = max(next.Sub(h.now()), 0)
	}
	return time.NewTimer(wait)
}

// report tells each server what was discarded, once and without trying again.
func (h *sharedState) report(ctx context.Context) {
	ctx, cancel := h.pusher.breakable(ctx)
	defer cancel()
	for _, dest := range h.router.all {
		h.sender.report(ctx, dest)
	}
}

// tell hands failed runs that nothing explained to the queue. Those that find no room wait on.
func (h *sharedState) emit(ctx context.Context, items []*item.Item) {
	if len(items) == 0 {
		return
	}
	dropped, _, err := h.put(ctx, h.errors, items)
	if err != nil { // counted by the pusher; nobody upstream to ask
		h.logger.Warn("A failed run could not be queued for Sentry.", zap.Error(err))
	}
	h.runs.postpone(dropped, h.now().Add(max(h.cfg.RunWindow, time.Second)))
	queued := slices.DeleteFunc(items, func(it *item.Item) bool { return slices.Contains(dropped, it) })
	if err := h.runs.remove(ctx, queued); err != nil {
		h.logger.Warn("Failed runs that were queued could not be removed from the storage. They will be sent again after a restart, under the same event ID.", zap.Error(err))
	}
}

// put hands items to their queues; what a route without DSN takes is counted.
func (h *sharedState) put(ctx context.Context, to *queues, items []*item.Item) (dropped, failed []*item.Item, err error) {
	on := make([]*item.Item, 0, len(items))
	for _, it := range items {
		if h.router.destination(it.Route) == nil {
			h.counters.discarded(ctx, item.ReasonOff, it)
			continue
		}
		on = append(on, it)
	}
	return to.put(ctx, on)
}

// give puts items into their queues. What finds no room is counted and not remembered as told; an error asks the sender
// upstream to send again what failed.
func (h *sharedState) give(ctx context.Context, to *queues, items []*item.Item) (lost int, err error) {
	dropped, failed, err := h.put(ctx, to, items)
	h.forget(failed)
	h.forget(dropped)
	h.counters.discarded(ctx, item.ReasonQueueFull, dropped...)
	return len(dropped), err
}

// accept takes error events: each is told once, and the failed runs that they explain are not.
func (h *sharedState) accept(ctx context.Context, events []*item.Item) error {
	var superseded []string // by what was told before as well: maybe on a span that did not know its run
	for _, it := range events {
		superseded = append(superseded, it.Supersedes...)
	}
	dropped, err := h.give(ctx, h.errors, h.unknown(ctx, events))
	if err == nil && dropped == 0 {
		h.supersede(ctx, superseded)
	}
	return err
}

// explain leaves out failed runs, present and to come, of which an exception is told.
func (h *sharedState) supersede(ctx context.Context, ids []string) {
	released, err := h.runs.supersede(ctx, h.now(), ids...)
	if err != nil {
		h.logger.Warn("The list of runs whose exception was sent could not be stored. After a restart, their failures may be reported twice.", zap.Error(err))
	}
	h.counters.discarded(ctx, item.ReasonRunSuperseded, released...)
}

// fail takes a failed run.
func (h *sharedState) fail(ctx context.Context, it *item.Item) error {
	if h.seen.known(it.ID, h.now()) {
		h.counters.discarded(ctx, item.ReasonDuplicate, it)
		return nil
	}
	pending, superseded := h.runs.add(ctx, it, h.now().Add(h.cfg.RunWindow))
	switch {
	case superseded:
		h.counters.discarded(ctx, item.ReasonRunSuperseded, it)
		return nil
	case pending:
		h.seen.add(it.ID, h.now())
		select {
		case h.wake <- struct{}{}:
		default:
		}
		return nil
	default:
		return h.accept(ctx, []*item.Item{it})
	}
}

// unknown leaves out what was told before, and remembers the rest.
func (h *sharedState) unknown(ctx context.Context, items []*item.Item) []*item.Item {
	out := items[:0]
	for _, it := range items {
		if h.seen.add(it.ID, h.now()) {
			out = append(out, it)
			continue
		}
		h.counters.discarded(ctx, item.ReasonDuplicate, it)
	}
	return out
}

func (h *sharedState) forget(items []*item.Item) {
	for _, it := range items {
		h.seen.forget(it.ID)
		h.seen.forget(it.RecordIDs...)
	}
}
