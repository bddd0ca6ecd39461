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
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
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
type hub struct {
	cfg        *Config
	set        exporter.Settings
	logger     *zap.Logger
	telemetry  *metadata.TelemetryBuilder
	router     *router
	counters   *counters
	sender     *sender
	ignored    *ignoreRules
	identities identities
	told       *memory
	runs       *runs
	waiting    *waitingRoom
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

func newHub(ctx context.Context, set exporter.Settings, cfg *Config, telemetry *metadata.TelemetryBuilder) (*hub, error) {
	router, err := newRouter(cfg)
	if err != nil {
		return nil, err
	}
	h := &hub{
		cfg: cfg, set: set, logger: set.Logger, telemetry: telemetry, router: router, now: time.Now,
		counters:   &counters{telemetry: telemetry, router: router, reports: cfg.ClientReports},
		ignored:    newIgnoreRules(cfg.IgnoreErrors),
		told:       newMemory(rememberedItems, rememberedFor),
		runs:       &runs{},
		identities: identities{cfg: cfg},
		waiting:    newWaitingRoom(cfg.RootWait, cfg.RootWaitMiB<<20),
		wake:       make(chan struct{}, 1),
		stop:       make(chan struct{}),
	}
	h.sender = &sender{now: func() time.Time { return h.now() }, logger: set.Logger}
	closing, cancel := context.WithCancel(context.WithoutCancel(ctx)) // outlives the creation
	h.cancel = cancel
	h.pusher = &pusher{
		sender: h.sender, router: router, counters: h.counters, logger: set.Logger, retry: cfg.RetryConfig, maxAge: cfg.MaxAge,
		closing: closing, kept: cfg.keeps(), backedOff: map[*item]struct{}{},
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

func (h *hub) observe() error {
	return errors.Join(
		h.telemetry.RegisterExporterSentryRunsWaitingCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(h.runs.waiting()))
			return nil
		}),
		h.telemetry.RegisterExporterSentrySpansWaitingCallback(func(_ context.Context, o metric.Int64Observer) error {
			spans, _ := h.waiting.waiting()
			o.Observe(int64(spans))
			return nil
		}),
		h.telemetry.RegisterExporterSentrySpansWaitingSizeCallback(func(_ context.Context, o metric.Int64Observer) error {
			_, size := h.waiting.waiting()
			o.Observe(int64(size))
			return nil
		}),
	)
}

// start is called by each instance; the first one starts the hub.
func (h *hub) start(ctx context.Context, host component.Host) error {
	h.startOnce.Do(func() { h.startErr = h.doStart(ctx, host) })
	return h.startErr
}

func (h *hub) doStart(ctx context.Context, host component.Host) error {
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

func (h *hub) openRuns(ctx context.Context, host component.Host) error {
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

func (h *hub) closeRuns(ctx context.Context) error {
	if h.runs.client == nil {
		return nil
	}
	err := h.runs.client.Close(ctx)
	h.runs.client = nil
	return err
}

// beginShutdown is called before an instance's queue is shut down: from then on nothing is tried twice, and after a while
// what is under way is broken off.
func (h *hub) beginShutdown() {
	if h.pusher.draining.CompareAndSwap(false, true) {
		timer := time.AfterFunc(drainFor, h.cancel)
		context.AfterFunc(h.pusher.closing, func() { timer.Stop() })
	}
}

// shutdown is called once by each instance, after its own queue is shut down; the last one ends the hub.
func (h *hub) shutdown(ctx context.Context) error {
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
		h.tell(ctx, h.runs.due(all))
		h.counters.discarded(ctx, reasonQueueFull, h.runs.due(all)...) // what still waits found no room
	}
	err := h.errors.Shutdown(ctx)
	h.pusher.countLost(ctx)
	h.report(ctx)
	h.sender.client.CloseIdleConnections()
	return errors.Join(err, h.closeRuns(ctx))
}

// loop tells runs whose time has come.
func (h *hub) loop() {
	for {
		timer := h.untilDue()
		select {
		case <-h.stop:
			timer.Stop()
			return
		case <-h.wake:
		case <-timer.C:
			h.tell(h.pusher.closing, h.runs.due(h.now()))
		}
		timer.Stop()
	}
}

// reportLoop tells what was discarded. It is not part of loop: a server that does not answer must not hold up runs.
func (h *hub) reportLoop() {
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

func (h *hub) untilDue() *time.Timer {
	wait := time.Minute // or until wake
	if next, ok := h.runs.next(); ok {
		wait = max(next.Sub(h.now()), 0)
	}
	return time.NewTimer(wait)
}

// report tells each server what was discarded, once and without trying again.
func (h *hub) report(ctx context.Context) {
	ctx, cancel := h.pusher.breakable(ctx)
	defer cancel()
	for _, dest := range h.router.all {
		h.sender.report(ctx, dest)
	}
}

// tell hands failed runs that nothing explained to the queue. Those that find no room wait on.
func (h *hub) tell(ctx context.Context, items []*item) {
	if len(items) == 0 {
		return
	}
	refused, _, err := h.put(ctx, h.errors, items)
	if err != nil { // counted by the pusher; nobody upstream to ask
		h.logger.Warn("A failed run could not be told to Sentry.", zap.Error(err))
	}
	h.runs.postpone(refused, h.now().Add(max(h.cfg.RunWindow, time.Second)))
	told := slices.DeleteFunc(items, func(it *item) bool { return slices.Contains(refused, it) })
	if err := h.runs.remove(ctx, told); err != nil {
		h.logger.Warn("Runs that were told stay in the storage and will be told again, under the same id.", zap.Error(err))
	}
}

// put hands items to their queues; what a route without DSN takes is counted.
func (h *hub) put(ctx context.Context, to *queues, items []*item) (refused, failed []*item, err error) {
	on := make([]*item, 0, len(items))
	for _, it := range items {
		if h.router.destination(it.Route) == nil {
			h.counters.discarded(ctx, reasonOff, it)
			continue
		}
		on = append(on, it)
	}
	return to.put(ctx, on)
}

// give puts items into their queues. What finds no room is counted and not remembered as told; an error asks the sender
// upstream to send again what failed.
func (h *hub) give(ctx context.Context, to *queues, items []*item) (dropped int, err error) {
	refused, failed, err := h.put(ctx, to, items)
	h.forget(failed)
	h.forget(refused)
	h.counters.discarded(ctx, reasonQueueFull, refused...)
	return len(refused), err
}

// accept takes error events: each is told once, and the failed runs that they explain are not.
func (h *hub) accept(ctx context.Context, events []*item) error {
	var explained []string // by what was told before as well: maybe on a span that did not know its run
	for _, it := range events {
		explained = append(explained, it.explains...)
	}
	dropped, err := h.give(ctx, h.errors, h.unknown(ctx, events))
	if err == nil && dropped == 0 {
		h.explain(ctx, explained)
	}
	return err
}

// explain leaves out failed runs, present and to come, of which an exception is told.
func (h *hub) explain(ctx context.Context, ids []string) {
	released, err := h.runs.explain(ctx, h.now(), ids...)
	if err != nil {
		h.logger.Warn("What was told about failed runs could not be stored; after a restart they may be told twice.", zap.Error(err))
	}
	h.counters.discarded(ctx, reasonRunExplained, released...)
}

// fail takes a failed run.
func (h *hub) fail(ctx context.Context, it *item) error {
	if h.told.known(it.mark, h.now()) {
		h.counters.discarded(ctx, reasonDuplicate, it)
		return nil
	}
	held, explained := h.runs.hold(ctx, it, h.now().Add(h.cfg.RunWindow))
	switch {
	case explained:
		h.counters.discarded(ctx, reasonRunExplained, it)
		return nil
	case held:
		h.told.add(it.mark, h.now())
		select {
		case h.wake <- struct{}{}:
		default:
		}
		return nil
	default:
		return h.accept(ctx, []*item{it})
	}
}

// unknown leaves out what was told before, and remembers the rest.
func (h *hub) unknown(ctx context.Context, items []*item) []*item {
	out := items[:0]
	for _, it := range items {
		if h.told.add(it.mark, h.now()) {
			out = append(out, it)
			continue
		}
		h.counters.discarded(ctx, reasonDuplicate, it)
	}
	return out
}

func (h *hub) forget(items []*item) {
	for _, it := range items {
		h.told.forget(it.mark)
		h.told.forget(it.marks...)
	}
}
