// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/testkit/traffic"
)

// closeTimeout bounds each step of the shutdown.
const closeTimeout = 20 * time.Second

// stack has what was started, in order. It is stopped in reverse order.
type stack struct {
	closers []func(context.Context) error
}

func (s *stack) push(f func(context.Context) error) {
	s.closers = append(s.closers, f)
}

// close stops everything even if ctx has ended.
func (s *stack) close(ctx context.Context) error {
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		step, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		errs = append(errs, closer(step))
		cancel()
	}
	return errors.Join(errs...)
}

// demonstrate builds the whole scene, plays it until stop or the end of the duration, and compares the results.
func demonstrate(ctx context.Context, o *options, stop <-chan struct{}) (err error) {
	var started stack
	defer func() { err = errors.Join(err, started.close(ctx)) }()

	fmt.Println("Starting PostgreSQL, queues, receivers and the collector ...")
	dir, err := os.MkdirTemp("", "difydemo-")
	if err != nil {
		return err
	}
	started.push(func(context.Context) error { return os.RemoveAll(dir) })

	db, err := openDatabase(ctx)
	if err != nil {
		return err
	}
	started.push(db.close)

	queues, err := startQueues()
	if err != nil {
		return err
	}
	started.push(queues.close)

	arrivals := newArrivals()
	backends, err := startBackends(ctx, arrivals)
	if err != nil {
		return err
	}
	started.push(backends.close)

	col, err := startCollector(ctx, o, dir, db, queues, backends)
	if err != nil {
		return err
	}
	started.push(col.stop)

	generator := traffic.New(o.seed)
	if err := generator.World.Write(ctx, db.rows); err != nil {
		return err
	}
	player := newPlayer(generator, db.rows, queues, arrivals, col.otlpURL)
	scene := &scene{options: o, player: player, collector: col, backends: backends, queues: queues, arrivals: arrivals}
	return scene.play(ctx, stop)
}

// backends are the test doubles of OpenSearch and Sentry.
type backends struct {
	openSearch *sink.OpenSearch
	sentry     *sink.Sentry
	servers    []*sink.Server
}

func startBackends(ctx context.Context, a *arrivals) (*backends, error) {
	b := &backends{openSearch: sink.NewOpenSearch(), sentry: sink.NewSentry()}
	b.openSearch.OnDocument(a.document)
	b.sentry.OnItem(a.sentryItem)
	for _, h := range []http.Handler{b.openSearch, b.sentry} {
		s, err := sink.Listen(ctx, "127.0.0.1:0", h)
		if err != nil {
			return nil, errors.Join(err, b.close(ctx))
		}
		b.servers = append(b.servers, s)
	}
	return b, nil
}

func (b *backends) openSearchURL() string { return b.servers[0].URL() }
func (b *backends) sentryURL() string     { return b.servers[1].URL() }

func (b *backends) close(ctx context.Context) error {
	var errs []error
	for _, s := range b.servers {
		errs = append(errs, s.Close(ctx))
	}
	return errors.Join(errs...)
}
