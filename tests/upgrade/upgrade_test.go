// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// The queues, the checkpoint, the stored documents and the failed runs that an older version left when it stopped
// during an outage of OpenSearch and Sentry are read: each item arrives exactly once. make.sh writes the fixtures.
func TestStorageOfOlderVersions(t *testing.T) {
	folders, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) { testStorage(t, folder) })
	}
}

// destinations are a real OpenSearch and a strict stand-in for Sentry's Relay.
type destinations struct {
	*collector.Collector
	search *servers.OpenSearch
	sentry *sink.Sentry
	rows   *rows
}

func testStorage(t *testing.T, folder string) {
	t.Helper()
	r, err := readRows(folder)
	require.NoError(t, err)
	storage := t.TempDir()
	require.NoError(t, unpack(filepath.Join(folder, storageFile), storage))
	files := listFiles(t, storage)

	dify := servers.SharedPostgres(t).NewDify(t, nil)
	fill(t, schema.NewWriter(dify.Pool), r)
	d := &destinations{rows: r, search: servers.SharedOpenSearch(t), sentry: sink.NewSentry()}
	require.NoError(t, d.search.Reset(t.Context()))
	relay, err := sink.Listen(t.Context(), "127.0.0.1:0", d.sentry)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, relay.Close(context.WithoutCancel(t.Context()))) })
	env := map[string]string{
		"OTELCOL_OPENSEARCH_URL": d.search.URL,
		"OTELCOL_SENTRY_DSN":     sink.SentryDSN(relay.URL()),
		"OTELCOL_STORAGE_DIR":    storage,
		"CELERY_BROKER_URL":      servers.SharedRedis(t).URL(1),
	}
	maps.Copy(env, dify.Env)
	d.Collector = collector.Start(t, collector.Options{
		Configs: []string{collector.ShippedConfig(), overlay(t, r)},
		Env:     env,
	})

	d.checkSpans(t)
	d.checkRuns(t)
	d.checkSentry(t)
	for name := range listFiles(t, storage) {
		assert.Contains(t, files, name, "a component does not use the file that the old version wrote for it")
	}

	// What arrived late, or twice, would arrive now.
	d.Terminate(t)
	d.Restart(t)
	d.drained(t)
	d.checkSpans(t)
	d.checkRuns(t)
	d.checkSentry(t)
}

// overlay lets the present time and the test's database be others than those of the fixture.
func overlay(t *testing.T, r *rows) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "overlay.yaml")
	require.NoError(t, os.WriteFile(path, []byte(fmt.Sprintf(`
receivers:
  workflow_log:
    adopt_checkpoint: %s
    max_run_age: 876000h
exporters:
  sentry:
    max_age: 0
`, r.Database)), 0o600))
	return path
}

// fill writes the rows as they are after the old collector stopped: the runs that were open have ended.
func fill(t *testing.T, w *schema.Writer, r *rows) {
	t.Helper()
	require.NoError(t, createApp(t.Context(), w))
	for _, one := range r.Runs {
		require.NoError(t, one.start(t.Context(), w))
		require.NoError(t, one.end(t.Context(), w))
	}
}

func (d *destinations) documents(t *testing.T, want int, pattern string) []servers.Hit {
	t.Helper()
	var hits []servers.Hit
	wait.For(t, "documents in "+pattern, func(ctx context.Context) (err error) {
		if hits, err = d.search.Search(ctx, pattern, servers.All()); err == nil && len(hits) != want {
			err = fmt.Errorf("%d documents in %s, expected %d", len(hits), pattern, want)
		}
		return err
	})
	return hits
}

func (d *destinations) checkSpans(t *testing.T) {
	t.Helper()
	var want, got []string
	for request := range traces {
		for _, span := range []byte{rootSpan, childSpan} {
			if request != rejected || span != rootSpan {
				want = append(want, traceOf(request).String()+" "+pcommon.SpanID{7: span}.String())
			}
		}
	}
	for _, hit := range d.documents(t, len(want), "dify-traces-*") {
		got = append(got, fmt.Sprint(hit.Source["traceId"], " ", hit.Source["spanId"]))
	}
	assert.ElementsMatch(t, want, got, "spans in OpenSearch")

	letters := d.documents(t, 1, "otelcol-dify-dead-letter*")
	assert.Equal(t, "mapper_parsing_exception", letters[0].Source["type"])
	assert.Contains(t, letters[0].Source["document"], traceOf(rejected).String())
}

func (d *destinations) checkRuns(t *testing.T) {
	t.Helper()
	var want, got []string
	for _, one := range d.rows.Runs {
		want = append(want, one.ID+" "+one.Status)
	}
	for _, hit := range d.documents(t, len(want), "workflow-logs-*") {
		attributes, _ := hit.Source["attributes"].(map[string]any)
		got = append(got, fmt.Sprint(attributes["dify.workflow_run_id"], " ", attributes["dify.workflow_run.status"]))
	}
	assert.ElementsMatch(t, want, got, "runs in OpenSearch")
	prometheus := &collector.Collector{Telemetry: d.Prometheus}
	wait.For(t, "the count of runs", func(ctx context.Context) error {
		total, err := prometheus.OwnMetric(ctx, "app_workflow_run_total")
		if err == nil && int(total) != len(want) {
			err = fmt.Errorf("%v runs are counted, expected %d", total, len(want))
		}
		return err
	})
}

func (d *destinations) checkSentry(t *testing.T) {
	t.Helper()
	var want []string
	for request := range traces {
		want = append(want, fmt.Sprint("request ", request))
	}
	for _, one := range d.rows.Runs {
		if one.Status == "failed" {
			want = append(want, "model refused run "+one.ID)
		}
	}
	slices.Sort(want)
	wait.For(t, "events and transactions in Sentry", func(context.Context) error {
		counts := d.sentry.Counts()
		if counts.Events < len(want) || counts.Transactions < traces {
			return fmt.Errorf("%d events and %d transactions, expected %d and %d",
				counts.Events, counts.Transactions, len(want), traces)
		}
		return nil
	})
	var got []string
	for _, event := range d.sentry.Events() {
		exceptions := event.Exceptions()
		require.NotEmpty(t, exceptions, string(event.Payload))
		got = append(got, exceptions[len(exceptions)-1].Value)
		assert.Equal(t, 1, event.Received, event.ID)
	}
	slices.Sort(got)
	assert.Equal(t, want, got, "events in Sentry")

	var traceIDs []string
	for _, transaction := range d.sentry.Transactions() {
		var payload struct {
			Contexts struct {
				Trace struct {
					TraceID string `json:"trace_id"`
				} `json:"trace"`
			} `json:"contexts"`
			Spans []json.RawMessage `json:"spans"`
		}
		require.NoError(t, json.Unmarshal(transaction.Payload, &payload))
		assert.Equal(t, 1, transaction.Received, transaction.ID)
		assert.Len(t, payload.Spans, 1, transaction.ID)
		traceIDs = append(traceIDs, payload.Contexts.Trace.TraceID)
	}
	slices.Sort(traceIDs)
	assert.Len(t, slices.Compact(traceIDs), traces, "transactions in Sentry")
	assert.Len(t, traceIDs, traces, "transactions in Sentry")
	assert.Empty(t, d.sentry.Problems())
}

// drained waits until the queues are empty and workflow_log has polled.
func (d *destinations) drained(t *testing.T) {
	t.Helper()
	wait.For(t, "empty queues", func(ctx context.Context) error {
		polls, err := d.OwnMetric(ctx, "otelcol_workflow_log_polls_total", `result="ok"`)
		if err == nil && polls < 3 {
			err = fmt.Errorf("%v polls", polls)
		}
		queued, queueErr := d.OwnMetric(ctx, "otelcol_exporter_queue_size")
		if queueErr == nil && queued > 0 {
			queueErr = fmt.Errorf("%v requests are queued", queued)
		}
		return errors.Join(err, queueErr)
	})
}

func listFiles(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files := map[string]bool{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		files[name] = true
		return err
	}))
	return files
}

func unpack(archive, folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	for archived := tar.NewReader(zipped); ; {
		header, err := archived.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = unpackFile(root, header, archived)
		}
		if err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, header *tar.Header, archived io.Reader) error {
	if header.Typeflag == tar.TypeDir {
		return root.MkdirAll(header.Name, 0o750)
	}
	content, err := io.ReadAll(archived)
	if err != nil {
		return err
	}
	return root.WriteFile(header.Name, content, 0o600)
}
