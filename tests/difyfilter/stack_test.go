// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// stack is the collector with its shipped configuration and config/overlays/logs.yaml, with everything that it reads
// and writes.
type stack struct {
	*collector.Collector
	db      *pgxpool.Pool
	search  *servers.OpenSearch
	sentry  *sink.Sentry
	fluent  int               // port of the lines
	difyEnv map[string]string // Dify's variables
}

// tenantProject is the number of the Sentry project of a tenant with a route.
const tenantProject = "2"

func newStack(t *testing.T, overlays ...string) *stack {
	t.Helper()
	s := &stack{search: servers.SharedOpenSearch(t), sentry: sink.NewSentry()}
	redis := servers.SharedRedis(t)
	require.NoError(t, redis.Reset(t.Context()))
	require.NoError(t, s.search.Reset(t.Context()))
	s.openDatabase(t, redis)
	sentry, err := sink.Listen(t.Context(), "127.0.0.1:0", s.sentry)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, sentry.Close(context.WithoutCancel(t.Context()))) })
	ports, err := proc.FreePorts(1)
	require.NoError(t, err)
	s.fluent = ports[0]

	env := map[string]string{
		"OTELCOL_OPENSEARCH_URL":  s.search.URL,
		"OTELCOL_SENTRY_DSN":      sink.SentryDSN(sentry.URL()),
		"TENANT_SENTRY_DSN":       strings.TrimSuffix(sink.SentryDSN(sentry.URL()), "1") + tenantProject,
		"OTELCOL_FLUENT_ENDPOINT": "127.0.0.1:" + strconv.Itoa(s.fluent),
	}
	maps.Copy(env, s.difyEnv)
	s.Collector = collector.Start(t, collector.Options{
		Configs: append([]string{collector.ShippedConfig(), repo.Path("config", "overlays", "logs.yaml")}, overlays...),
		Env:     env,
	})
	wait.For(t, "workflow_log reads the database", func(ctx context.Context) error {
		_, err := s.OwnMetric(ctx, "otelcol_workflow_log_polls_total", `result="ok"`)
		return err
	})
	return s
}

func (s *stack) openDatabase(t *testing.T, redis *servers.Redis) {
	t.Helper()
	dify := servers.SharedPostgres(t).NewDify(t, nil)
	s.db, s.difyEnv = dify.Pool, dify.Env
	s.difyEnv["CELERY_BROKER_URL"] = redis.URL(1)
}

// export sends an OTLP request of a signal.
func (s *stack) export(t *testing.T, signal string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		"http://"+s.OTLPHTTP+"/v1/"+signal,
		bytes.NewReader(body),
	)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(answer))
}

// exposition returns what Prometheus would scrape now.
func (s *stack) exposition(ctx context.Context) (string, error) {
	return collector.Fetch(ctx, "http://"+s.Prometheus+"/metrics")
}

// documents waits until the wanted number is found, and returns them.
func (s *stack) documents(t *testing.T, want int, pattern string, query any) []servers.Hit {
	t.Helper()
	var hits []servers.Hit
	wait.For(t, "documents in "+pattern, func(ctx context.Context) (err error) {
		if hits, err = s.search.Search(ctx, pattern, query); err != nil {
			return err
		}
		if len(hits) != want {
			return fmt.Errorf("%d documents, expected %d", len(hits), want)
		}
		return nil
	})
	return hits
}

// attribute returns a document's attribute as text, or an empty string.
func attribute(hit servers.Hit, key string) string {
	attributes, _ := hit.Source["attributes"].(map[string]any)
	if value, ok := attributes[key]; ok {
		return fmt.Sprint(value)
	}
	return ""
}
