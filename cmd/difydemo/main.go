// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command difydemo shows otelcol-dify without a Dify: it simulates one, with a real PostgreSQL, Celery queues and
// several processes that export OTLP, runs the collector, and counts what was emitted and what arrived at each back
// end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otelcol-dify/otelcol-dify/testkit/postgres"
)

// options are the command-line flags.
type options struct {
	collector string
	config    string
	duration  time.Duration
	settle    time.Duration
	outage    time.Duration
	rate      float64
	seed      uint64
	verbose   bool
}

const usage = `difydemo simulates a busy Dify, runs otelcol-dify, and shows what was emitted and what arrived.

It starts everything that it needs: a PostgreSQL (downloaded at the first start, unless version 15 is installed),
Celery queues, and test doubles of OpenSearch and Sentry. With DB_HOST set it uses that PostgreSQL server instead
(DB_PORT, DB_USERNAME and DB_PASSWORD as in Dify's .env), in a separate database that it removes at the end.

Press Ctrl-C to end it. The exit code is 0 only if everything that was emitted has arrived exactly once.

Flags:
`

func parse(args []string, help io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("difydemo", flag.ContinueOnError)
	fs.StringVar(&o.collector, "collector", "bin/otelcol-dify", "the collector's `binary`")
	fs.StringVar(&o.config, "config", "config/demo.yaml", "the collector's configuration `file`")
	fs.DurationVar(&o.duration, "duration", 0, "how long to emit; 0 means until Ctrl-C")
	fs.DurationVar(&o.settle, "settle", time.Minute, "how long to wait at most for the last items to arrive")
	fs.DurationVar(&o.outage, "outage", 0, "how long both back ends return 503, starting 5s after the start")
	fs.Float64Var(&o.rate, "rate", 8, "events in Dify per second, mostly requests")
	fs.Uint64Var(&o.seed, "seed", 1, "seed of the traffic; equal seeds generate equal traffic")
	fs.BoolVar(&o.verbose, "verbose", false, "show the collector's log")
	fs.SetOutput(help)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), usage)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case fs.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.rate <= 0 || o.rate > 200:
		return nil, errors.New("-rate must be more than 0 and at most 200")
	case o.duration < 0 || o.outage < 0 || o.settle <= 0:
		return nil, errors.New("-duration and -outage must not be negative, -settle must be positive")
	}
	return o, nil
}

func main() {
	postgres.Keep()
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "difydemo:", err)
		os.Exit(1)
	}
}

// run stops the traffic at the first signal, and stops waiting at the second.
func run(o *options) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	go func() {
		for _, end := range []func(){func() { close(stop) }, cancel} {
			select {
			case <-signals:
				end()
			case <-ctx.Done():
				return
			}
		}
	}()
	return demonstrate(ctx, o, stop)
}
