// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// corpusError is an error of testdata/errors.jsonl, with the group that a person would put it into.
type corpusError struct {
	Group, Type, Message string
	// At is where it was raised: `engine`, `engine-1.9` (Dify up to 1.9), `library`, `app:<file>:<function>`; empty if
	// there is no stack trace, and `run` if there is only the text of a failed run.
	At string
}

func (e corpusError) exception(t *testing.T) *stacktrace.Exception {
	t.Helper()
	at, place, _ := strings.Cut(e.At, ":")
	var frames []string
	switch at {
	case "run":
		return &stacktrace.Exception{Type: RunFailure, Message: e.Message}
	case "":
		return &stacktrace.Exception{Type: e.Type, Message: e.Message}
	case "engine":
		frames = []string{"/app/api/core/workflow/workflow_entry.py", libraryPath}
	case "engine-1.9":
		frames = []string{"/app/api/core/workflow/workflow_entry.py", "/app/api/core/workflow/graph_engine/graph_engine.py"}
	case "library":
		frames = []string{libraryPath}
	case "app":
		file, _, _ := strings.Cut(place, ":")
		frames = []string{"/app/api/" + file}
	}
	exc, _, ok := stacktrace.Parse(traceback(e.Type, e.Message, frames...))
	require.True(t, ok)
	exc.Type, exc.Message = e.Type, e.Message
	return exc
}

// group returns what Sentry groups by: the fingerprint, or class and place.
func (e corpusError) group(t *testing.T) string {
	t.Helper()
	f := Of(e.exception(t))
	if f.Fingerprint == nil {
		return e.Type + " " + e.At
	}
	return strings.Join(f.Fingerprint, " | ")
}

func readCorpus(t *testing.T) []corpusError {
	t.Helper()
	f, err := os.Open("testdata/errors.jsonl")
	require.NoError(t, err)
	defer f.Close()
	var out []corpusError
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e corpusError
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
		out = append(out, e)
	}
	return out
}

// TestCorpus checks that no two groups of the corpus are merged, and that at most two errors are apart from their
// group.
func TestCorpus(t *testing.T) {
	corpus := readCorpus(t)
	require.GreaterOrEqual(t, len(corpus), 80)
	groups, issues := map[string][]string{}, map[string][]string{}
	for _, e := range corpus {
		issue := e.group(t)
		if !slices.Contains(issues[issue], e.Group) {
			issues[issue] = append(issues[issue], e.Group)
		}
		if !slices.Contains(groups[e.Group], issue) {
			groups[e.Group] = append(groups[e.Group], issue)
		}
	}
	split := 0
	for group, parts := range groups {
		if len(parts) > 1 {
			split += len(parts) - 1
			t.Logf("split: %s: %q", group, parts)
		}
	}
	for issue, merged := range issues {
		assert.Len(t, merged, 1, "wrongly merged in %q", issue)
	}
	assert.LessOrEqual(t, split, 2, "wrongly split")
}
