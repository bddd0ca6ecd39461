// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentry

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// differences compares two events and returns the paths that differ, without the indices of list elements.
func differences(their, our any, path string) map[string]bool {
	found := map[string]bool{}
	switch their := their.(type) {
	case map[string]any:
		if our, ok := our.(map[string]any); ok {
			compareMaps(their, our, path, found)
			return found
		}
	case []any:
		if our, ok := our.([]any); ok {
			compareLists(their, our, path, found)
			return found
		}
	}
	switch {
	case fmt.Sprint(their) == fmt.Sprint(our):
	// Python removes the indentation.
	case strings.HasSuffix(path, ".context_line") && strings.TrimSpace(fmt.Sprint(their)) == our:
	case our == nil:
		found[path+".missing"] = true
	default:
		found[path] = true
	}
	return found
}

// compareLists compares from the end, which for frames is where the exception was raised.
func compareLists(their, our []any, path string, found map[string]bool) {
	if len(their) != len(our) {
		found[path+".length"] = true
	}
	for i := 1; i <= min(len(their), len(our)); i++ {
		maps.Copy(found, differences(their[len(their)-i], our[len(our)-i], path))
	}
}

func compareMaps(their, our map[string]any, path string, found map[string]bool) {
	keys := maps.Clone(their)
	maps.Copy(keys, our)
	for key := range keys {
		inner := strings.TrimPrefix(path+"."+key, ".")
		a, b := their[key], our[key]
		if a == nil && b == nil { // the SDK writes null, we leave it out
			continue
		}
		maps.Copy(found, differences(a, b, inner))
	}
}

var documentedRow = regexp.MustCompile("(?m)^\\| ((?:`[a-z_.]+`(?:, )?)+) \\|")

// documented returns the fields that differ from those of Dify's SDK according to the README.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(repo.Path("components", "sentryexporter", "README.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## Compared with Dify's own SDK\n")
	require.True(t, found, "the README's list of differences")
	section, _, _ = strings.Cut(section, "\n## ")
	var out []string
	for _, row := range documentedRow.FindAllStringSubmatch(section, -1) {
		for field := range strings.SplitSeq(row[1], ", ") {
			out = append(out, strings.Trim(field, "`"))
		}
	}
	require.NotEmpty(t, out)
	return out
}

// unexplained returns the differences that no documented field covers.
func unexplained(found map[string]bool, documented []string) []string {
	var out []string
	for path := range found {
		if !slices.ContainsFunc(documented, func(field string) bool { return covers(field, path) }) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

func covers(field, path string) bool { return path == field || strings.HasPrefix(path, field+".") }

// stale returns the documented fields that no longer differ.
func stale(found map[string]bool, documented []string) []string {
	return slices.DeleteFunc(slices.Clone(documented), func(field string) bool {
		for path := range found {
			if covers(field, path) {
				return true
			}
		}
		return false
	})
}

// exceptionsOf returns the classes of an event's exceptions, root cause first.
func exceptionsOf(ev event) string {
	values, _ := at(ev, "exception", "values").([]any)
	var out []string
	for _, v := range values {
		out = append(out, fmt.Sprint(at(v, "type")))
	}
	return strings.Join(out, ", ")
}

// at returns the value at a path of names, or nil.
func at(v any, path ...string) any {
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}
