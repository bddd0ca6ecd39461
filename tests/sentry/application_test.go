// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package sentry runs the built binary between a Dify-like application and replacements of Sentry: a strict test
// double of Relay, and Spotlight's real server. It compares the result with Dify's own Sentry SDK.
package sentry

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// listenRelay serves the strict test double of Sentry's Relay, and returns its DSN.
func listenRelay(t *testing.T) (relay *sink.Sentry, dsn string) {
	t.Helper()
	relay = sink.NewSentry()
	server, err := sink.Listen(t.Context(), "127.0.0.1:0", relay)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close(context.WithoutCancel(t.Context()))) })
	return relay, sink.SentryDSN(server.URL())
}

// startCollector runs the shipped configuration with Sentry as its only destination.
func startCollector(t *testing.T, env map[string]string, overlays ...string) *collector.Collector {
	t.Helper()
	return collector.Start(t, collector.Options{
		Configs: append(
			[]string{collector.ShippedConfig(), repo.Path("tests", "sentry", "testdata", "only-sentry.yaml")},
			overlays...),
		Env: env,
	})
}

// startApplication runs the application with the collector that it sends to. It is in a folder `api`, as Dify is.
func startApplication(t *testing.T, dsn string, difyEnv map[string]string) *pyenv.App {
	t.Helper()
	redis, err := servers.StartRedis(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, redis.Stop()) })
	broker := redis.URL(1)
	col := startCollector(t, map[string]string{"OTELCOL_SENTRY_DSN": dsn, "CELERY_BROKER_URL": broker})

	dir := filepath.Join(t.TempDir(), "api")
	require.NoError(t, os.CopyFS(dir, os.DirFS(repo.Path("tests", "python"))))
	env := map[string]string{
		"CELERY_BROKER_URL":                broker,
		"OTLP_BASE_ENDPOINT":               "http://" + col.OTLPHTTP,
		"OTEL_EXPORTER_OTLP_PROTOCOL":      "http/protobuf",
		"APP_WORKERS":                      "1",
		"OTEL_SAMPLING_RATE":               "1.0",
		"OTEL_BATCH_EXPORT_SCHEDULE_DELAY": "500",
	}
	maps.Copy(env, difyEnv)
	return pyenv.StartAppIn(t, dir, pyenv.Size{Gunicorn: 3, Celery: 1}, env)
}
