// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difystatusextension

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/difystatusextension/internal/history"
	"github.com/otelcol-dify/otelcol-dify/components/difystatusextension/internal/page"
	"github.com/otelcol-dify/otelcol-dify/components/internal/pipelinecheck"
	"github.com/otelcol-dify/otelcol-dify/internal/endpoints"
	"github.com/otelcol-dify/otelcol-dify/internal/exposition"
)

var (
	_ extensioncapabilities.ConfigSnapshotWatcher  = (*statusExtension)(nil)
	_ extensioncapabilities.ComponentStatusWatcher = (*statusExtension)(nil)
)

const (
	headerTimeout = 10 * time.Second
	fetchTimeout  = 5 * time.Second
)

// statusExtension is the extension's lifecycle.
type statusExtension struct {
	cfg     *Config
	version string
	logger  *zap.Logger
	history *history.History
	states  states

	// Set before Start.
	own, dify string // addresses of metrics; "": none
	warnings  []string

	server *http.Server
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

func newStatus(cfg *Config, set extension.Settings) *statusExtension {
	return &statusExtension{
		cfg: cfg, version: set.BuildInfo.Version, logger: set.Logger, history: &history.History{},
		states: states{logger: set.Logger, now: time.Now},
	}
}

// NotifyConfigSnapshot finds the addresses of the metrics, and what the configuration gives up.
func (e *statusExtension) NotifyConfigSnapshot(_ context.Context, snapshot extensioncapabilities.ConfigSnapshot) error {
	conf := snapshot.Effective()
	e.own = endpoints.Telemetry(conf)
	e.dify = endpoints.Callable(endpoints.Text(conf, "exporters::prometheus::endpoint"))
	var err error
	if e.warnings, err = pipelinecheck.Warnings(conf); err != nil {
		e.logger.Warn("The pipelines could not be checked", zap.Error(err))
	}
	return nil
}

// Changed follows the components.
func (e *statusExtension) Changed(source *componentstatus.InstanceID, event *componentstatus.Event) {
	e.states.set(source, event)
}

// Start listens, and begins to read the collector's own metrics.
func (e *statusExtension) Start(ctx context.Context, _ component.Host) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", e.cfg.Endpoint)
	if err != nil {
		return fmt.Errorf("`endpoint` (OTELCOL_STATUS_ENDPOINT): %w", err)
	}
	e.server = &http.Server{
		Handler: e.handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: time.Minute,
		ErrorLog: zap.NewStdLog(e.logger),
	}
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.cancel = cancel
	e.tasks.Go(func() {
		if err := e.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			e.logger.Error("The status page is not served any more", zap.Error(err))
		}
	})
	e.tasks.Go(func() { e.follow(reading) })
	return nil
}

// Shutdown stops serving.
func (e *statusExtension) Shutdown(ctx context.Context) error {
	if e.server == nil {
		return nil
	}
	e.cancel()
	err := e.server.Shutdown(ctx)
	e.tasks.Wait()
	return err
}

// follow reads the metrics regularly, so that rates and times are right when somebody looks.
func (e *statusExtension) follow(ctx context.Context) {
	ticker := time.NewTicker(e.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			page.Observe(e.history, e.fetch(ctx, e.own), time.Now())
		}
	}
}

// fetch returns no metrics if they can't be read: the page then shows what else is known.
func (e *statusExtension) fetch(ctx context.Context, address string) exposition.Metrics {
	if address == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	metrics, err := exposition.Fetch(ctx, "http://"+address+"/metrics")
	if err != nil {
		e.logger.Debug("Metrics can't be read", zap.Error(err))
	}
	return metrics
}

func (e *statusExtension) status(ctx context.Context) *page.Status {
	own, now := e.fetch(ctx, e.own), time.Now().UTC()
	page.Observe(e.history, own, now)
	return page.New(&page.Input{
		Version: e.version, Now: now, Own: own, Dify: e.fetch(ctx, e.dify), Warnings: e.warnings,
		Components: e.states.list(), History: e.history,
	})
}

func (e *statusExtension) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(e.status(r.Context())) // the client is gone
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := page.Write(w, e.status(r.Context())); err != nil {
			e.logger.Debug("The page was not written", zap.Error(err))
		}
	})
	return e.guarded(mux)
}

// guarded asks for the key, and lets the page load nothing.
func (e *statusExtension) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		_, password, _ := r.BasicAuth()
		if e.cfg.Key != "" && subtle.ConstantTimeCompare([]byte(password), []byte(e.cfg.Key)) != 1 {
			h.Set("WWW-Authenticate", `Basic realm="otelcol-dify: any name, the key as password"`)
			http.Error(w, "The password is the key of OTLP (OTLP_API_KEY).", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
