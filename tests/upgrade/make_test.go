// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:build makefixture

package upgrade

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	folderEnv = "OTELCOL_UPGRADE_FIXTURE" // the folder to write, such as testdata/v0.138, which has its configFile

	ended = 16 // runs that end while the old collector runs
	open  = 3  // runs that end while no collector runs
)

// TestMakeFixture writes a fixture with an older binary: tests/upgrade/make.sh runs it.
func TestMakeFixture(t *testing.T) {
	folder := os.Getenv(folderEnv)
	require.NotEmpty(t, folder, folderEnv)
	pg := servers.SharedPostgres(t)
	dify := pg.NewDify(t, nil)
	w := schema.NewWriter(dify.Pool)
	require.NoError(t, createApp(t.Context(), w))

	search := httptest.NewServer(failingOpenSearch{setup: sink.NewOpenSearch()})
	defer search.Close()
	storage := t.TempDir()
	env := map[string]string{
		"OTELCOL_OPENSEARCH_URL": search.URL,
		"OTELCOL_SENTRY_DSN":     sink.SentryDSN("http://127.0.0.1:1"),
		"OTELCOL_STORAGE_DIR":    storage,
		"CELERY_BROKER_URL":      "redis://127.0.0.1:1/1",
	}
	for key, value := range dify.Env {
		env[key] = value
	}
	c := collector.Start(t, collector.Options{Configs: []string{filepath.Join(folder, configFile)}, Env: env})
	ownMetric := func(atLeast float64, name string, labels ...string) {
		t.Helper()
		wait.For(t, name, func(ctx context.Context) error {
			value, err := c.OwnMetric(ctx, name, labels...)
			if err == nil && value < atLeast {
				err = fmt.Errorf("%s is %v, waiting for %v", name, value, atLeast)
			}
			return err
		})
	}
	ownMetric(1, "otelcol_workflow_log_polls_total", `result="ok"`)

	for request := range traces {
		require.NoError(t, exportTrace(t.Context(), c.OTLPHTTP, request, time.Now()))
		if request == rejected {
			time.Sleep(time.Second) // it is in flight before the others
		}
	}
	r := &rows{Database: fmt.Sprintf("postgresql://%s:%d/%s", pg.Host, pg.Port, dify.Name)}
	for n := range ended + open {
		one := run{ID: uuid.NewString(), AppLogID: uuid.NewString(), CreatedAt: now(), Status: "succeeded", Open: n >= ended}
		require.NoError(t, one.start(t.Context(), w))
		one.FinishedAt = one.CreatedAt.Add(100 * time.Millisecond)
		if n%5 == 1 {
			one.Status = "failed"
		}
		if one.Open {
			one.FinishedAt = one.CreatedAt.Add(time.Minute)
		} else {
			require.NoError(t, one.end(t.Context(), w))
		}
		r.Runs = append(r.Runs, one)
		time.Sleep(1100 * time.Millisecond) // longer than a poll, so that each run is a request
	}
	ownMetric(1, "otelcol_exporter_queue_size", `exporter="opensearch"`, `data_type="logs"`)
	ownMetric(1, "otelcol_exporter_queue_size", `exporter="opensearch"`, `data_type="traces"`)
	time.Sleep(3 * time.Second) // and the last run's poll is saved
	c.Terminate(t)

	after := now()
	r.Runs = append(r.Runs, run{
		ID: uuid.NewString(), AppLogID: uuid.NewString(), CreatedAt: after, FinishedAt: after.Add(time.Second),
		Status: "succeeded", Open: true,
	})
	text, err := json.MarshalIndent(r, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, rowsFile), append(text, '\n'), 0o644))
	pack(t, storage, filepath.Join(folder, storageFile))
}

// now is as precise as the database.
func now() time.Time {
	return time.Now().UTC().Truncate(time.Microsecond)
}

// failingOpenSearch accepts what the extension sets up, rejects the documents with "poison" permanently, and has no
// room for any other document.
type failingOpenSearch struct {
	setup http.Handler
}

func (s failingOpenSearch) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	if !strings.HasSuffix(req.URL.Path, "/_bulk") {
		s.setup.ServeHTTP(rw, req)
		return
	}
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 64<<20)
	items := []any{}
	for lines.Scan() {
		action := lines.Text()
		if action == "" || !lines.Scan() {
			continue
		}
		result := map[string]any{"status": http.StatusTooManyRequests, "error": map[string]any{
			"type": "es_rejected_execution_exception", "reason": "rejected execution",
		}}
		if strings.Contains(lines.Text(), `"poison"`) {
			result = map[string]any{"status": http.StatusBadRequest, "error": map[string]any{
				"type": "mapper_parsing_exception", "reason": "failed to parse field",
			}}
		}
		items = append(items, map[string]any{"create": result})
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(map[string]any{"took": 1, "errors": true, "items": items})
}

// pack writes the files of a folder into a compressed archive.
func pack(t *testing.T, folder, archive string) {
	t.Helper()
	file, err := os.Create(archive)
	require.NoError(t, err)
	zipped, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	require.NoError(t, err)
	archived := tar.NewWriter(zipped)
	require.NoError(t, archived.AddFS(os.DirFS(folder)))
	require.NoError(t, archived.Close())
	require.NoError(t, zipped.Close())
	require.NoError(t, file.Close())
}
