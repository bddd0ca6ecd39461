// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:build makefixture

package upgrade

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

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
	maps.Copy(env, dify.Env)
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
	//nolint:gosec // it is committed
	require.NoError(t, os.WriteFile(filepath.Join(folder, rowsFile), append(text, '\n'), 0o644))
	pack(t, storage, filepath.Join(folder, storageFile))
}

// exportTrace sends a request's spans: a root with an exception, and a child.
func exportTrace(ctx context.Context, otlpHTTP string, request int, at time.Time) error {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	for key, value := range map[string]string{
		"service.name": "langgenius/dify", "service.version": "dify-1.16.1-0123abc",
		"host.name": "host-1", "process.pid": "7",
	} {
		rs.Resource().Attributes().PutStr(key, value)
	}
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	span := func(id byte, name string, kind ptrace.SpanKind) ptrace.Span {
		s := spans.AppendEmpty()
		s.SetTraceID(traceOf(request))
		s.SetSpanID(pcommon.SpanID{7: id})
		s.SetName(name)
		s.SetKind(kind)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Second)))
		return s
	}
	root := span(rootSpan, "POST /v1/workflows/run", ptrace.SpanKindServer)
	root.Attributes().PutStr("http.method", http.MethodPost)
	root.Attributes().PutStr("http.route", "/v1/workflows/run")
	if request == rejected {
		root.Attributes().PutStr("test.document", "poison")
	}
	e := root.Events().AppendEmpty()
	e.SetName("exception")
	e.SetTimestamp(root.EndTimestamp())
	e.Attributes().PutStr("exception.type", "RuntimeError")
	e.Attributes().PutStr("exception.message", fmt.Sprint("request ", request))
	e.Attributes().PutStr("exception.stacktrace", fmt.Sprintf("Traceback (most recent call last):\n"+
		"  File \"/app/api/a.py\", line 7, in run\n    call()\nRuntimeError: request %d\n", request))
	child := span(childSpan, "call model", ptrace.SpanKindInternal)
	child.SetParentSpanID(root.SpanID())

	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+otlpHTTP+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("export: %s: %s", resp.Status, answer)
	}
	return nil
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
