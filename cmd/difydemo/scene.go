// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	refreshEvery = 500 * time.Millisecond
	// quiet is how long the numbers must stay equal: longer than the exporter waits before it reports a failed run, so
	// that a duplicate is noticed.
	quiet = 7 * time.Second
)

// scene has all participants, ready to play.
type scene struct {
	options   *options
	player    *player
	collector *collector
	backends  *backends
	queues    *queues
	arrivals  *arrivals
}

// play emits, shows the numbers meanwhile, waits for the last items to arrive and compares.
func (s *scene) play(ctx context.Context, stop <-chan struct{}) error {
	display := newScreen(s.header())
	played := make(chan error, 1)
	started := time.Now()
	ended, cancel := s.end(ctx, stop)
	defer cancel()
	go func() { played <- s.player.play(ctx, s.options.rate, ended) }()
	outage := s.outage()
	defer outage.end()

	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if m, err := s.measure(ctx); err == nil {
				display.update(s.phase(started), s.table(m))
			}
		case err := <-played:
			if err != nil {
				return err
			}
			return s.settle(ctx, display, tick.C)
		case <-s.collector.exited:
			return s.collector.died()
		}
	}
}

// end returns a channel that is closed when the traffic must end.
func (s *scene) end(ctx context.Context, stop <-chan struct{}) (<-chan struct{}, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if s.options.duration > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.options.duration)
	}
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx.Done(), cancel
}

func (s *scene) phase(started time.Time) string {
	running := time.Since(started).Round(time.Second)
	phase := fmt.Sprintf("emitting for %s, press Ctrl-C to end", running)
	if s.options.duration > 0 {
		phase = fmt.Sprintf("emitting, %s of %s", running, s.options.duration)
	}
	return phase + outageText(running, s.options.outage)
}

// settle waits until all numbers are equal and stay equal, but not longer than the options allow.
func (s *scene) settle(ctx context.Context, display *screen, tick <-chan time.Time) error {
	deadline := time.Now().Add(s.options.settle)
	var equalSince time.Time
	var rows []row
	var failure error
	for time.Now().Before(deadline) || !equalSince.IsZero() {
		var m *measured
		if m, failure = s.measure(ctx); failure == nil {
			rows = s.table(m)
			display.update("waiting for the last items, and then 7s to see that none comes twice", rows)
		}
		switch {
		case failure != nil || len(unequal(rows)) > 0:
			equalSince = time.Time{}
		case equalSince.IsZero():
			equalSince = time.Now()
		case time.Since(equalSince) >= quiet:
			return s.result(display, rows)
		}
		select {
		case <-tick:
		case <-s.collector.exited:
			return s.collector.died()
		case <-ctx.Done():
			return errors.Join(errors.New("interrupted before everything had arrived"), s.result(display, rows))
		}
	}
	return errors.Join(failure, s.result(display, rows))
}

// result shows the last table and returns an error that names the rows that differ.
func (s *scene) result(display *screen, rows []row) error {
	display.last("ended", rows)
	var wrong []string
	for _, r := range unequal(rows) {
		wrong = append(
			wrong, fmt.Sprintf("%s (%s): %s emitted, %s arrived", r.name, r.where, r.format(r.emitted), r.format(r.arrived)),
		)
	}
	if len(wrong) == 0 {
		fmt.Println("Everything that was emitted has arrived exactly once.")
		return nil
	}
	for _, p := range s.backends.sentry.Problems() {
		wrong = append(wrong, "Sentry: "+p)
	}
	return errors.New("emitted and arrived differ:\n  " + strings.Join(wrong, "\n  "))
}

// header lists the addresses to open.
func (s *scene) header() []string {
	return []string{
		"otelcol-dify demo. Addresses to open meanwhile:",
		"  status page              " + s.collector.statusURL,
		"  metrics for Prometheus   " + s.collector.metricsURL,
		"  documents in OpenSearch  " + s.backends.openSearchURL() + "/workflow-logs*/_search?size=20",
		"                           " + s.backends.openSearchURL() + "/_cat/indices",
		"  events in Sentry         " + s.backends.sentryURL() + "/",
		"  the collector's metrics  " + s.collector.telemetryURL,
	}
}
