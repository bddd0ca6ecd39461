// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package gitleaks compares the shapes of secrets that redaction knows with the rules of gitleaks, which many people
// maintain. A new version of it shows which shapes are missing. It is no dependency of the distribution.
package gitleaks

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "github.com/zricethezav/gitleaks/v8/version" // keeps the module, whose rules the tests read, in go.mod
)

const module = "github.com/zricethezav/gitleaks/v8"

// rule is one of gitleaks' rules.
type rule struct {
	id      string
	pattern *regexp.Regexp
	keyword string // of an announcement
}

// announced reports whether a rule recognizes a value only by the name of the vendor before it.
func (r *rule) announced() bool {
	return strings.HasPrefix(r.pattern.String(), `(?i)[\w.-]{0,50}?`) ||
		strings.HasPrefix(r.pattern.String(), `[\w.-]{0,50}?(?i:`)
}

// rules reads gitleaks.toml, which its own generator writes with one key in a line.
func rules(t *testing.T) []*rule {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	require.NoError(t, err, "go list -m %s", module)
	file, err := os.Open(filepath.Join(strings.TrimSpace(string(out)), "config", "gitleaks.toml"))
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()

	var all []*rule
	var current *rule
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	keywords := false
	for lines.Scan() {
		line := lines.Text()
		key, value, _ := strings.Cut(line, " = ")
		switch {
		case line == "[[rules]]":
			current = &rule{}
		case strings.HasPrefix(line, "["):
			keywords = false
			if line != "[[rules]]" {
				current = nil // a list of exceptions
			}
		case current == nil:
		case key == "id":
			current.id = strings.Trim(value, `"`)
		case key == "regex":
			current.pattern = regexp.MustCompile(strings.Trim(value, "'"))
			all = append(all, current)
		case key == "keywords":
			keywords = true
			current.keyword = firstQuoted(value)
		case keywords && current.keyword == "":
			current.keyword = firstQuoted(line)
		}
	}
	require.NoError(t, lines.Err())
	require.Greater(t, len(all), 200)
	return all
}

func firstQuoted(line string) string {
	if parts := strings.Split(line, `"`); len(parts) > 2 {
		return parts[1]
	}
	return ""
}
