// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// samples are what each emitter of Dify sends. Their README describes the markers.
type samples struct {
	policies map[string]string // of the markers
	spans    int
	lines    []string
}

var (
	sampleMarker = regexp.MustCompile(`(?:CONTENT|PII)-\d+|SECRET\d+`)
	sampleTime   = regexp.MustCompile(`imeUnixNano": "(\d+)"`)
	lineTime     = regexp.MustCompile(`"ts": "[^"]*"`)
)

// markers returns the different markers in a text that have one of the policies.
func (s *samples) markers(text string, policies ...string) []string {
	found := []string{}
	for _, marker := range sampleMarker.FindAllString(text, -1) {
		if policy := s.policies[marker]; slices.Contains(policies, policy) || policy == "" {
			found = append(found, marker)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// readPolicies returns samples of which nothing is sent.
func readPolicies(t *testing.T) *samples {
	t.Helper()
	text, err := os.ReadFile(repo.Path("components", "difyfilterprocessor", "testdata", "samples", "manifest.json"))
	require.NoError(t, err)
	var manifest []struct{ Marker, Policy string }
	require.NoError(t, json.Unmarshal(text, &manifest))
	sent := &samples{policies: map[string]string{}}
	for _, m := range manifest {
		sent.policies[m.Marker] = m.Policy
	}
	return sent
}

// sendSamples sends all samples with times of now.
func (s *stack) sendSamples(t *testing.T, d *driver) *samples {
	t.Helper()
	folder := repo.Path("components", "difyfilterprocessor", "testdata", "samples")
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		return text
	}
	sent := readPolicies(t)
	now := time.Now()
	files, err := filepath.Glob(filepath.Join(folder, "*_*.json"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 15)
	for _, file := range append(files, filepath.Join(folder, "trajectory.json")) {
		text := atTime(t, read(filepath.Base(file)), now)
		if strings.Contains(filepath.Base(file), "metrics") {
			request := pmetricotlp.NewExportRequest()
			require.NoError(t, request.UnmarshalJSON(text))
			body, err := request.MarshalProto()
			require.NoError(t, err)
			s.export(t, "metrics", body)
			continue
		}
		request := ptraceotlp.NewExportRequest()
		require.NoError(t, request.UnmarshalJSON(text))
		sent.spans += request.Traces().SpanCount()
		body, err := request.MarshalProto()
		require.NoError(t, err)
		s.export(t, "traces", body)
	}
	log := lineTime.ReplaceAllString(string(read("enterprise_stdout.log")), `"ts": "`+now.UTC().Format(time.RFC3339Nano)+`"`)
	for line := range strings.Lines(log) {
		sent.lines = append(sent.lines, strings.TrimSuffix(line, "\n"))
		d.write(t, now, apiContainer, "stdout", strings.TrimSuffix(line, "\n"))
	}
	return sent
}

// atTime shifts the times of an OTLP file so that the last one is now.
func atTime(t *testing.T, text []byte, now time.Time) []byte {
	t.Helper()
	nanos := func(match []byte) int64 {
		n, err := strconv.ParseInt(string(sampleTime.FindSubmatch(match)[1]), 10, 64)
		require.NoError(t, err)
		return n
	}
	last := int64(0)
	for _, match := range sampleTime.FindAll(text, -1) {
		last = max(last, nanos(match))
	}
	return sampleTime.ReplaceAllFunc(text, func(match []byte) []byte {
		return fmt.Appendf(nil, `imeUnixNano": "%d"`, nanos(match)+now.UnixNano()-last)
	})
}

// checkSamples fails for content and secrets of the samples in a back end or in what the collector says of itself, and
// for names and error texts that are not searchable.
func (s *stack) checkSamples(t *testing.T, d *driver, spans, lines int) {
	t.Helper()
	toSentry, err := s.OwnMetric(t.Context(), "otelcol_exporter_sent_spans_total", `exporter="sentry"`)
	require.NoError(t, err)
	sent := s.sendSamples(t, d)
	var searchable strings.Builder
	for pattern, want := range map[string]int{
		"dify-traces-*": spans + sent.spans, "dify-logs-*": lines + len(sent.lines), "otelcol-dify-dead-letter*": 0,
	} {
		require.NoError(t, json.NewEncoder(&searchable).Encode(s.documents(t, want, pattern, servers.All())))
	}
	assert.Empty(t, sent.markers(searchable.String(), "remove", "hash"), "in OpenSearch")
	var keep []string
	for marker, policy := range sent.policies {
		if policy == "keep" {
			keep = append(keep, marker)
		}
	}
	slices.Sort(keep)
	assert.Equal(t, keep, sent.markers(searchable.String(), "keep"), "in OpenSearch")

	wait.For(t, "Sentry has the samples", func(ctx context.Context) error {
		n, failure := s.OwnMetric(ctx, "otelcol_exporter_sent_spans_total", `exporter="sentry"`)
		if failure == nil && n < toSentry+float64(sent.spans) {
			failure = fmt.Errorf("%v spans, expected %v", n, toSentry+float64(sent.spans))
		}
		return failure
	})
	for _, item := range slices.Concat(s.sentry.Transactions(), s.sentry.Events()) {
		assert.Empty(t, sent.markers(string(item.Payload), "remove", "hash"), "in Sentry")
	}
	assert.NotEmpty(t, s.sentry.Logs())
	assert.Empty(t, sent.markers(fmt.Sprint(s.sentry.Logs()), "remove", "hash"), "in Sentry's logs")

	var exposition string
	wait.For(t, "Prometheus has the samples", func(ctx context.Context) (err error) {
		if exposition, err = s.exposition(ctx); err != nil {
			return err
		}
		for _, series := range []string{"dify_tokens_input", "gen_ai_client_operation_duration", "plugin_invocations"} {
			if !strings.Contains(exposition, series) {
				return fmt.Errorf("%s is not there", series)
			}
		}
		return nil
	})
	assert.Empty(t, sent.markers(exposition, "remove", "hash"), "in Prometheus")
	own, err := collector.Fetch(t.Context(), "http://"+s.Telemetry+"/metrics")
	require.NoError(t, err)
	assert.Empty(t, sent.markers(own+s.Log(), "remove", "hash", "keep"), "in the collector's own metrics and log")
}
