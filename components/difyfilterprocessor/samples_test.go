// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// samplePolicies returns what becomes of each marker of testdata/samples: remove, hash or keep.
func samplePolicies(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "samples", "manifest.json"))
	require.NoError(t, err)
	var list []struct{ Marker, Policy string }
	require.NoError(t, json.Unmarshal(text, &list))
	policies := map[string]string{}
	for _, m := range list {
		policies[m.Marker] = m.Policy
	}
	return policies
}

var sampleMarker = regexp.MustCompile(`(?:CONTENT|PII)-\d+|SECRET\d+`)

// filteredSamples returns each sample before and after the processor.
func filteredSamples(t *testing.T) (before, after map[string]string) {
	t.Helper()
	before, after = map[string]string{}, map[string]string{}
	files, err := filepath.Glob("testdata/samples/*.*")
	require.NoError(t, err)
	for _, file := range files {
		name := filepath.Base(file)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		b := newHarness(t)
		switch {
		case strings.HasSuffix(name, ".log"):
			after[name] = filteredLines(t, b, string(text))
		case name == "manifest.json" || name == "README.md":
			continue
		case strings.Contains(name, "metrics"):
			md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
			require.NoError(t, err)
			after[name] = wireMetrics(t, b.metrics(t, md))
		default:
			td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
			require.NoError(t, err)
			after[name] = wireTraces(t, b.traces(t, td))
		}
		before[name] = string(text)
	}
	return before, after
}

// filteredLines sends lines as a container's log driver does.
func filteredLines(t *testing.T, b *harness, text string) string {
	t.Helper()
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for line := range strings.Lines(text) {
		record := records.AppendEmpty()
		record.Body().SetStr(strings.TrimSuffix(line, "\n"))
		record.Attributes().PutStr("container_id", apiContainer)
		record.Attributes().PutStr("container_name", "/docker-api-1")
		record.Attributes().PutStr("source", "stdout")
	}
	n := records.Len()
	out := b.logs(t, ld)
	rest, err := b.flushLogs(t.Context(), true)
	if rest.LogRecordCount() > 0 {
		require.NoError(t, err)
		rest.ResourceLogs().MoveAndAppendTo(out.ResourceLogs())
	}
	require.Equal(t, n, out.LogRecordCount())
	return wireLogs(t, out)
}

// Of what each emitter sends, content and secrets do not leave with the settings of the shipped configuration; names
// and error texts do.
func TestSamplesOfEveryEmitter(t *testing.T) {
	policies := samplePolicies(t)
	before, after := filteredSamples(t)
	require.GreaterOrEqual(t, len(before), 18)
	counts, seen := map[string]int{}, map[string]bool{}
	for name, text := range before {
		left := map[string]bool{}
		for _, marker := range sampleMarker.FindAllString(after[name], -1) {
			left[marker] = true
			assert.Equal(t, "keep", policies[marker], "%s is in the output of %s", marker, name) // a part of one, too
		}
		for _, marker := range sampleMarker.FindAllString(text, -1) {
			policy := policies[marker]
			require.NotEmpty(t, policy, "%s of %s is not in the manifest", marker, name)
			assert.Equal(t, policy == "keep", left[marker], "%s of %s, whose policy is %s, is there", marker, name, policy)
			if !seen[marker] {
				counts[policy]++
			}
			seen[marker] = true
		}
	}
	assert.Len(t, seen, len(policies), "each marker of the manifest is in a sample")
	t.Logf("markers by policy: %v", counts)
}
