// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Command golden generates the inputs of dify_filter's golden files: it runs dify.py with the OpenTelemetry packages
// that each version of Dify pins, and writes what they exported, with everything normalized that differs between
// runs.
//
//	go -C tests run ./golden [VERSION...]
//
// It needs what tests/setup.sh installs. The tests only read the written files.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, wanted []string) error {
	versions, err := versions()
	if err != nil {
		return err
	}
	if len(wanted) > 0 {
		versions = wanted
	}
	redis, err := servers.StartRedis(ctx)
	if err != nil {
		return err
	}
	defer redis.Stop() //nolint:errcheck // at the end of the program
	postgres, err := servers.StartPostgres(ctx)
	if err != nil {
		return err
	}
	defer postgres.Stop() //nolint:errcheck // as above
	for _, version := range versions {
		if err := redis.Reset(ctx); err != nil {
			return err
		}
		g := generation{version: version, broker: redis.URL(1), database: postgres.URL("postgres")}
		if err := g.write(ctx); err != nil {
			return fmt.Errorf("version %s: %w", version, err)
		}
		fmt.Println("wrote", version)
	}
	return nil
}

// versions are the versions of Dify with requirements, and the recordings.
func versions() ([]string, error) {
	files, err := filepath.Glob(repo.Path("tests", "golden", "requirements", "*.txt"))
	names := []string{recorded}
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".txt"))
	}
	return names, err
}

func (g *generation) write(ctx context.Context) error {
	dir := repo.Path("components", "difyfilterprocessor", "testdata", "golden", g.version)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // it goes into the repository
		return err
	}
	if g.version == recorded {
		traces, err := recordedTraces()
		if err != nil {
			return err
		}
		metrics, err := recordedMetrics()
		if err != nil {
			return err
		}
		return writeFiles(dir, traces, metrics)
	}
	exported, err := g.record(ctx)
	if err != nil {
		return err
	}
	plain := newPlain(g)
	return writeFiles(dir, plain.traces(exported.traces), plain.metrics(exported.metrics))
}

func writeFiles(dir string, traces ptrace.Traces, metrics pmetric.Metrics) error {
	tracesFile, metricsFile := filepath.Join(dir, "traces.yaml"), filepath.Join(dir, "metrics.yaml")
	return errors.Join(
		golden.WriteTracesToFile(tracesFile, traces),
		golden.WriteMetricsToFile(metricsFile, metrics, golden.SkipMetricTimestampNormalization()),
		os.Chmod(tracesFile, 0o644), os.Chmod(metricsFile, 0o644), //nolint:gosec // as the folder
	)
}
