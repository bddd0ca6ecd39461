// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// A further back end gets each span that OpenSearch gets, once and redacted; the one that is allowed to have content
// gets the same spans with it.
func TestOTLPBackends(t *testing.T) {
	redacted, whole := startBackend(t), startBackend(t)
	s := newStack(t, stackOptions{
		overlays: append(collector.KeepDays(), repo.Path("config", "overlays", "otlp-backend.yaml"),
			repo.Path("config", "overlays", "otlp-backend-content.yaml")),
		env: map[string]string{
			"OTELCOL_SENTRY_DSN":                    "",
			"OTELCOL_OTLP_BACKEND_URL":              "http://" + redacted.OTLPHTTP,
			"OTELCOL_OTLP_BACKEND_AUTHORIZATION":    "Bearer back-end-key",
			"OTELCOL_CONTENT_BACKEND_URL":           "http://" + whole.OTLPHTTP,
			"OTELCOL_CONTENT_BACKEND_AUTHORIZATION": "Bearer back-end-key",
		},
	})
	recorded := map[string]recordedSpan{}
	lines := recordings.Lines(t, recordings.WorkTraces)
	whole.Kill(t) // an outage: the queue holds the spans
	for _, line := range lines {
		readSpans(t, line, recorded)
		require.Equal(t, http.StatusOK, exportHTTP(t, s.Collector, "traces", "", line))
	}
	whole.Restart(t)
	dropped, err := s.OwnMetric(t.Context(), droppedItems, `kind="span"`)
	require.NoError(t, err)
	want := len(recorded) - int(dropped)/2 // each of two filters counts what it drops
	s.documents(t, want, "dify-traces-*", servers.All())
	for _, key := range []string{"input.value", "output.value"} {
		assert.Zero(t, redacted.await(t, want, key), key)
		assert.Positive(t, whole.await(t, want, key), key)
	}
}

// backend is a collector that takes OTLP with a key and writes it to a file.
type backend struct {
	*collector.Collector
	file string
}

func startBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{file: filepath.Join(t.TempDir(), "traces.jsonl")}
	b.Collector = collector.Start(t, collector.Options{
		Configs: []string{repo.Path("tests", "testdata", "otlp-backend.yaml")},
		Env:     map[string]string{"BACKEND_FILE": b.file},
	})
	return b
}

// await waits until the back end has so many spans, each once, and returns how many of them have an attribute.
func (b *backend) await(t *testing.T, want int, key string) (having int) {
	t.Helper()
	wait.For(t, "the spans at a back end", func(context.Context) error {
		spans, err := b.spans()
		if err != nil {
			return err
		}
		having = 0
		for id, attributes := range spans {
			if len(attributes) > 1 {
				return fmt.Errorf("span %s came %d times", id, len(attributes))
			}
			if _, there := attributes[0].Get(key); there {
				having++
			}
		}
		if len(spans) != want {
			return fmt.Errorf("%d of %d spans", len(spans), want)
		}
		return nil
	})
	return having
}

func (b *backend) spans() (map[string][]pcommon.Map, error) {
	spans := map[string][]pcommon.Map{}
	err := eachWritten(b.file, func(span ptrace.Span) {
		id := span.TraceID().String() + "-" + span.SpanID().String()
		spans[id] = append(spans[id], span.Attributes())
	})
	return spans, err
}

// eachWritten visits the spans in a file that a collector writes. It is an error if a line is not complete yet.
func eachWritten(path string, visit func(ptrace.Span)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(lines.Bytes())
		if err != nil {
			return err
		}
		recordings.EachSpan(traces, func(_ string, span ptrace.Span) { visit(span) })
	}
	return lines.Err()
}
