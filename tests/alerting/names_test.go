// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// family is a row of docs/metrics.md, or a metric family of a scrape.
type family struct {
	kind   string
	labels map[string]bool
}

// onEverySeries are the labels that the page documents once for all series.
var onEverySeries = map[string]bool{
	"job": true, "instance": true, "le": true, "installation": true, "otel_scope_name": true, "otel_scope_version": true,
	"otel_scope_schema_url": true,
}

// checkNames compares the page with a scrape: each row has a family of its type and labels, and each family has a
// row.
func checkNames(t *testing.T, r *rig) {
	scraped := scrape(t, "http://"+r.Prometheus+"/metrics")
	documented := documentedFamilies(t)
	for name, want := range documented {
		got, ok := scraped[name]
		if !assert.True(t, ok, "%s is in docs/metrics.md but not in a scrape", name) {
			continue
		}
		assert.Equal(t, want.kind, got.kind, name)
		for label := range got.labels {
			assert.True(t, want.labels[label], "%s has the label %s, which docs/metrics.md does not list", name, label)
		}
	}
	for name := range scraped {
		assert.Contains(t, documented, name, "docs/metrics.md does not list %s", name)
	}
}

var row = regexp.MustCompile("(?m)^\\| `[a-z._]+` \\|[^|]*\\| `([a-z_]+)` \\| (\\w+) \\|([^|]*)\\|([^|]*)\\|$")

var quoted = regexp.MustCompile("`([a-z_]+)`")

func documentedFamilies(t *testing.T) map[string]family {
	t.Helper()
	text, err := os.ReadFile(repo.Path("docs", "metrics.md"))
	require.NoError(t, err)
	families := map[string]family{}
	var before map[string]bool
	for _, found := range row.FindAllStringSubmatch(string(text), -1) {
		labels := map[string]bool{}
		for _, label := range quoted.FindAllStringSubmatch(found[3]+found[4], -1) {
			labels[label[1]] = true
		}
		if strings.TrimSpace(found[3]) == "the same" {
			labels = before
		}
		before = labels
		families[found[1]] = family{kind: found[2], labels: labels}
	}
	require.NotEmpty(t, families)
	return families
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	sampleLine = regexp.MustCompile(`(?m)^([a-z_]+)\{(.*)\} \S+$`)
	labelName  = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
)

// labelValue returns the value of a label in a line of an exposition, or an empty string.
func labelValue(line, label string) string {
	_, rest, _ := strings.Cut(line, label+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// total adds the values of the lines that begin with a prefix.
func total(lines []string, prefix string) (sum float64) {
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			value, _ := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			sum += value
		}
	}
	return sum
}

func scrape(t *testing.T, url string) map[string]family {
	t.Helper()
	text, err := collector.Fetch(t.Context(), url)
	require.NoError(t, err)
	families := map[string]family{}
	for _, found := range typeLine.FindAllStringSubmatch(text, -1) {
		if found[1] != "target_info" {
			families[found[1]] = family{kind: found[2], labels: map[string]bool{}}
		}
	}
	for _, found := range sampleLine.FindAllStringSubmatch(text, -1) {
		name := found[1]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && families[base].kind == "histogram" {
				name = base
			}
		}
		for _, label := range labelName.FindAllStringSubmatch(found[2], -1) {
			if known, ok := families[name]; ok && label[2] != "" && !onEverySeries[label[1]] {
				known.labels[label[1]] = true
			}
		}
	}
	return families
}
