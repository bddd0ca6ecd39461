// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulk

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// The indices with the recorded Dify's telemetry, and with the log records of testdata/logs.json.
const (
	recordedRuns = 22
	stuckRuns    = 1
	recordedLogs = 2
	refusedLogs  = 1
)

// refusedDay is the day of the record in testdata/logs.json whose status code is a text.
var refusedDay = time.Date(2020, 2, 2, 0, 0, 0, 0, time.UTC)

// recordedFigures has the figures of the recorded Dify's rows.
type recordedFigures struct {
	*collector.Collector
	runs   map[string]float64 // by status
	tokens float64
}

// sendRecordings runs the shipped configuration with a real Dify's database and spans, and an additional run that
// never ended, and waits until everything can be searched.
func sendRecordings(t *testing.T, search *servers.OpenSearch) *recordedFigures {
	t.Helper()
	db, env := recordedDatabase(t)
	recorded := readRuns(t, db)
	writeStuckRun(t, db)
	env["OTELCOL_OPENSEARCH_URL"] = search.URL
	recorded.Collector = collector.Start(t, collector.Options{
		Configs: append([]string{
			collector.ShippedConfig(),
			repo.Path("tests", "opensearchbulk", "testdata", "logs.yaml"),
			"yaml:receivers::workflow_log::start_at: beginning",
		}, collector.KeepDays()...),
		Env: env,
	})
	awaitTemplates(t, search)
	makeRefusingIndex(t, search, refusedDay)
	for _, line := range recordings.Lines(t, recordings.Traces) {
		export(t, recorded.Collector, "traces", line)
	}
	logs, err := os.ReadFile("testdata/logs.json")
	require.NoError(t, err)
	export(t, recorded.Collector, "logs", string(logs))
	awaitCount(t, search, "workflow-logs-*", recordedRuns+stuckRuns)
	awaitCount(t, search, "dify-logs-*", recordedLogs)
	awaitCount(t, search, "otelcol-dify-dead-letter", refusedLogs)
	awaitSpans(t, recorded.Collector, search, "dify-traces-*")
	return recorded
}

// awaitTemplates waits until the collector has set OpenSearch up. The dead letters' template is the last one.
func awaitTemplates(tb testing.TB, search *servers.OpenSearch) {
	tb.Helper()
	wait.For(tb, "the templates", func(ctx context.Context) error {
		return search.Send(ctx, http.MethodGet, "/_index_template/otelcol-dify-dead-letter", nil, &struct{}{})
	})
}

// makeRefusingIndex creates an index of container logs that rejects a text in place of a number, for a dead letter.
func makeRefusingIndex(t *testing.T, search *servers.OpenSearch, day time.Time) {
	t.Helper()
	require.NoError(t, search.Send(t.Context(), http.MethodPut, "/dify-logs-"+day.Format("2006.01.02"),
		map[string]any{"settings": map[string]any{"index.mapping.ignore_malformed": false}}, &struct{}{}))
}

// recordedDatabase restores the recorded Dify's database, and returns its variables.
func recordedDatabase(t *testing.T) (*pgxpool.Pool, map[string]string) {
	t.Helper()
	pg := servers.Run(t, servers.StartPostgres)
	dify := pg.NewDify(t, func(ctx context.Context, database string) error {
		return pg.Restore(ctx, database, recordings.Unzipped(t, recordings.Rows))
	})
	return dify.Pool, dify.Env
}

func readRuns(t *testing.T, db *pgxpool.Pool) *recordedFigures {
	t.Helper()
	recorded := &recordedFigures{runs: map[string]float64{}}
	rows, err := db.Query(t.Context(), "SELECT status, total_tokens FROM workflow_runs WHERE finished_at IS NOT NULL")
	require.NoError(t, err)
	for rows.Next() {
		var status string
		var tokens int64
		require.NoError(t, rows.Scan(&status, &tokens))
		recorded.runs[status]++
		recorded.tokens += float64(tokens)
	}
	require.NoError(t, rows.Err())
	return recorded
}

// writeStuckRun writes a run of an existing app that started two days ago and has not ended.
func writeStuckRun(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	run := schema.Run{
		ID: uuid.NewString(), WorkflowID: uuid.NewString(), CreatedBy: uuid.NewString(),
		CreatedAt: time.Now().Add(-48 * time.Hour),
	}
	require.NoError(
		t,
		db.QueryRow(t.Context(), "SELECT id::text, tenant_id::text FROM apps WHERE mode = 'workflow' LIMIT 1").
			Scan(&run.AppID, &run.TenantID),
	)
	require.NoError(t, schema.NewWriter(db).StartRun(t.Context(), run))
}

// export sends an OTLP request as JSON.
func export(tb testing.TB, c *collector.Collector, signal, body string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(
		tb.Context(),
		http.MethodPost,
		"http://"+c.OTLPHTTP+"/v1/"+signal,
		strings.NewReader(body),
	)
	require.NoError(tb, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	require.NoError(tb, resp.Body.Close())
	require.Equal(tb, http.StatusOK, resp.StatusCode)
}

func awaitCount(tb testing.TB, search *servers.OpenSearch, pattern string, want int) {
	tb.Helper()
	wait.For(tb, "documents in "+pattern, func(ctx context.Context) error {
		got, err := search.Count(ctx, pattern)
		if err == nil && got != want {
			err = fmt.Errorf("%d documents in %s, expected %d", got, pattern, want)
		}
		return err
	})
}

// awaitSpans waits until OpenSearch has every span that the filter passed on. An empty queue is not enough: spans may
// be in flight.
func awaitSpans(tb testing.TB, c *collector.Collector, search *servers.OpenSearch, pattern string) {
	tb.Helper()
	wait.For(tb, "the spans", func(ctx context.Context) error {
		passed, err := c.OwnMetric(
			ctx,
			"otelcol_processor_outgoing_items_total",
			`otel_signal="traces"`,
			`processor="dify_filter"`,
		)
		if err != nil {
			return err
		}
		shown, err := search.Count(ctx, pattern)
		if err == nil && float64(shown) != passed {
			err = fmt.Errorf("%d of %v spans are there", shown, passed)
		}
		return err
	})
}

// awaitQueueEmpty waits until OpenSearch has accepted everything that was sent.
func awaitQueueEmpty(t *testing.T, c *collector.Collector) {
	t.Helper()
	wait.For(t, "an empty queue", func(ctx context.Context) error {
		waiting, err := c.OwnMetric(ctx, "otelcol_exporter_queue_size", `exporter="opensearch`)
		if err == nil && waiting != 0 {
			err = fmt.Errorf("%v requests wait", waiting)
		}
		return err
	})
}
