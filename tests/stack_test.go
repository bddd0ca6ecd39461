// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// stack is the collector with its shipped configuration between real servers, with a strict test double of Sentry's
// Relay.
type stack struct {
	*collector.Collector
	db         *pgxpool.Pool // this test's own database
	redis      *servers.Redis
	search     *servers.OpenSearch
	prometheus *servers.Prometheus
	sentry     *sink.Sentry
	difyEnv    map[string]string // Dify's variables, which the collector and the application share
}

// stackOptions are the differences from the shipped configuration and an empty Dify.
type stackOptions struct {
	overlays []string                                         // merged over the shipped configuration
	env      map[string]string                                // of the collector
	fill     func(ctx context.Context, database string) error // default: Dify's tables, empty
}

func newStack(t *testing.T, opts stackOptions) *stack {
	t.Helper()
	s := &stack{redis: servers.SharedRedis(t), search: servers.SharedOpenSearch(t)}
	require.NoError(t, s.redis.Reset(t.Context()))
	require.NoError(t, s.search.Reset(t.Context()))
	s.openDatabase(t, opts.fill)

	env := map[string]string{"OTELCOL_OPENSEARCH_URL": s.search.URL, "OTELCOL_SENTRY_DSN": s.listenSentry(t)}
	maps.Copy(env, s.difyEnv)
	maps.Copy(env, opts.env)
	s.Collector = collector.Start(t, collector.Options{
		Configs: append([]string{collector.ShippedConfig()}, opts.overlays...),
		Env:     env,
	})
	var err error
	s.prometheus, err = servers.StartPrometheus(t.Context(), s.Prometheus)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.prometheus.Stop()) })
	wait.For(t, "workflow_log reads the database", s.reads)
	return s
}

func (s *stack) openDatabase(t *testing.T, fill func(context.Context, string) error) {
	t.Helper()
	dify := servers.SharedPostgres(t).NewDify(t, fill)
	s.db, s.difyEnv = dify.Pool, dify.Env
	s.difyEnv["CELERY_BROKER_URL"] = s.redis.URL(1)
}

// listenSentry serves the test double of Sentry and returns its DSN.
func (s *stack) listenSentry(t *testing.T) string {
	t.Helper()
	s.sentry = sink.NewSentry()
	server, err := sink.Listen(t.Context(), "127.0.0.1:0", s.sentry)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close(context.WithoutCancel(t.Context()))) })
	return sink.SentryDSN(server.URL())
}

// reads returns nil when workflow_log has its position: rows that are written from then on must be recorded.
func (s *stack) reads(ctx context.Context) error {
	_, err := s.OwnMetric(ctx, "otelcol_workflow_log_polls_total", `result="ok"`)
	return err
}

// expectValue waits until a PromQL expression has the value.
func (s *stack) expectValue(t *testing.T, want float64, expr string) {
	t.Helper()
	wait.For(t, expr, func(ctx context.Context) error {
		got, err := s.prometheus.Value(ctx, expr)
		if err == nil && got != want {
			err = fmt.Errorf("%s is %v, expected %v", expr, got, want)
		}
		return err
	})
}

// documents waits until the query finds that many documents, and returns them.
func (s *stack) documents(t *testing.T, want int, pattern string, query any) []servers.Hit {
	t.Helper()
	var hits []servers.Hit
	wait.For(t, "documents in "+pattern, func(ctx context.Context) (err error) {
		if hits, err = s.search.Search(ctx, pattern, query); err == nil && len(hits) != want {
			err = fmt.Errorf("%d documents in %s, expected %d", len(hits), pattern, want)
		}
		return err
	})
	return hits
}
