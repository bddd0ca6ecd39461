// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/otelcol-dify/otelcol-dify/doctor"
	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

const doctorUsage = `Usage: difyctl doctor [FLAGS]

Finds what is wrong with an installation: configuration, ports, storage, Dify's database, Redis, OpenSearch, Sentry,
what Dify sends, Prometheus. Each check is ok, a warning, failed or skipped, with the variable or file to change. It
takes at most ten seconds, writes nothing, and reads the same variables as the collector: run it where the collector
runs, as in

  docker compose exec otelcol-dify /difyctl doctor

Flags:
  --config FILE       a configuration file of the collector; several are merged in order
                      (default /etc/otelcol-dify/collector.yaml, with overlays/auth.yaml if OTLP_API_KEY is set)
  --dify-env FILE     also check Dify's .env
  --prometheus URL    also check what Prometheus scrapes, http://user:password@host:port (default
                      OTELCOL_PROMETHEUS_URL)
  --sentry-test       send a test event to Sentry
  --format FORMAT     text, json (default text)
  --help              print this help

Exit codes: 0 if nothing failed, 1 if a check failed, 2 for a mistake in the command.
`

const (
	mainConfig = "/etc/otelcol-dify/collector.yaml"
	authConfig = "/etc/otelcol-dify/overlays/auth.yaml"
)

// errUnhealthy means that a check failed, which the report tells.
var errUnhealthy = errors.New("a check failed")

type files []string

func (f *files) String() string { return fmt.Sprint(*f) }

func (f *files) Set(name string) error {
	*f = append(*f, name)
	return nil
}

func runDoctor(args []string, out io.Writer) error {
	opts := &doctor.Options{}
	var format string
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Var((*files)(&opts.Configs), "config", "")
	flags.StringVar(&opts.DifyEnv, "dify-env", "", "")
	flags.StringVar(&opts.Prometheus, "prometheus", os.Getenv("OTELCOL_PROMETHEUS_URL"), "")
	flags.BoolVar(&opts.SentryTest, "sentry-test", false, "")
	flags.StringVar(&format, "format", "text", "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(out, doctorUsage)
		return err
	case err != nil:
		return usageError{fmt.Errorf("%w; difyctl doctor --help describes the flags", err)}
	case flags.NArg() > 0:
		return usageError{fmt.Errorf("doctor has no argument %q; a file is --config FILE", flags.Arg(0))}
	case format != "text" && format != "json":
		return usageError{fmt.Errorf("--format is %q: must be text or json", format)}
	}
	if len(opts.Configs) == 0 {
		opts.Configs = []string{mainConfig}
		if os.Getenv("OTLP_API_KEY") != "" {
			opts.Configs = append(opts.Configs, authConfig)
		}
	}
	if executable, err := os.Executable(); err == nil {
		opts.Collector = doctor.Collector(executable)
	}
	return report(out, format, doctor.Run(context.Background(), opts))
}

func report(out io.Writer, format string, results []check.Result) error {
	counts := map[check.State]int{}
	for _, result := range results {
		counts[result.State]++
	}
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(results); err != nil {
			return err
		}
	} else if err := writeReport(out, results, counts); err != nil {
		return err
	}
	if counts[check.StateFailed] > 0 {
		return errUnhealthy
	}
	return nil
}

func writeReport(out io.Writer, results []check.Result, counts map[check.State]int) error {
	for _, result := range results {
		if _, err := fmt.Fprintf(out, "%-8s %-28s %s\n", result.State, result.Name, result.Detail); err != nil {
			return err
		}
		if result.Fix == "" {
			continue
		}
		if _, err := fmt.Fprintf(out, "%-8s %-28s -> %s\n", "", "", result.Fix); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "\n%d ok, %d warnings, %d failed, %d skipped\n", counts[check.StateOK],
		counts[check.StateWarning], counts[check.StateFailed], counts[check.StateSkipped])
	return err
}
