// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package words fails on words of a private vocabulary that this repository once used. Engineers read its code, logs
// and pages next to the collector's, Sentry's and OpenSearch's, so one thing has one name, and it is theirs.
package words

import (
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// private are the unambiguous words, each with what to write instead.
var private = map[string]string{
	"told":             "emitted, reported, delivered, recorded, sent",
	"telling":          "emitting, reporting, recording",
	"verdict":          "result",
	"courier":          "deliverer",
	"errand":           "setup step",
	"newborn":          "new series",
	"census":           "audit of late rows",
	"speaker":          "emitting process",
	"waiting room":     "pending spans",
	"in vain":          "without success",
	"for ever":         "permanently, indefinitely",
	"refused for good": "permanently rejected",
	"patience":         "timeout",
	"bears":            "has, carries",
	"fallen":           "dropped",
}

// exception allows a word in the lines of a file that contain the text.
type exception struct {
	file string // as path.Match takes it
	text string // empty: every line of the file
	why  string
}

// exceptions is the one list of what the test lets pass.
var exceptions = []exception{
	{file: "tests/words/words_test.go", why: "the list of words itself"},
	{
		file: "components/sentryexporter/internal/waiting/stored.go", text: `json:"told,omitempty"`,
		why: "the key of stored state",
	},
	{
		file: "components/workflowlogreceiver/internal/checkpoint/*.go", text: `"census"`,
		why: "a key of the checkpoint, which is a name on disk",
	},
	{file: "docs/upgrading.md", text: "| `", why: "the old names in the first column of the tables of renamed names"},
}

// Words of a compound identifier count too: toldRuns, census_rows.
var (
	camel    = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	prose    = regexp.MustCompile(`[^A-Za-z0-9]+`)
	readable = map[string]bool{
		".go": true, ".md": true, ".yaml": true, ".yml": true, ".py": true, ".sh": true, ".example": true, ".conf": true,
	}
)

// split returns the words of a line, in lower case, each with a space on both sides.
func split(line string) string {
	line = camel.ReplaceAllString(line, "$1 $2")
	return " " + strings.ToLower(strings.TrimSpace(prose.ReplaceAllString(line, " "))) + " "
}

// found returns the private words of a line.
func found(line string) []string {
	words := split(line)
	var all []string
	for word := range private {
		if strings.Contains(words, " "+word+" ") || strings.Contains(words, " "+word+"s ") {
			all = append(all, word)
		}
	}
	return all
}

func TestNoPrivateWords(t *testing.T) {
	used := make([]bool, len(exceptions))
	for _, name := range files(t) {
		text, err := os.ReadFile(repo.Path(name))
		if os.IsNotExist(err) { // deleted, and not committed yet
			continue
		}
		require.NoError(t, err)
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			words := found(line)
			if len(words) == 0 || excepted(name, line, used) {
				continue
			}
			for _, word := range words {
				t.Errorf("%s:%d: %q: write %s, or add an exception with its reason", name, number, word, private[word])
			}
		}
	}
	for i, exception := range exceptions {
		if !used[i] {
			t.Logf("no longer needed: the exception %q of %s", exception.text, exception.file)
		}
	}
}

func excepted(name, line string, used []bool) bool {
	for i, exception := range exceptions {
		if matches, err := path.Match(exception.file, name); err == nil && matches && strings.Contains(line, exception.text) {
			used[i] = true
			return true
		}
	}
	return false
}

// files are the hand-written source, documentation and configuration files of the repository.
func files(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = repo.Path()
	out, err := cmd.Output()
	require.NoError(t, err, "git ls-files")
	var names []string
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		generated := strings.HasPrefix(name, "distro/") || strings.HasPrefix(path.Base(name), "generated_")
		if (readable[path.Ext(name)] || path.Base(name) == "Makefile") && !generated && !strings.Contains(name, "testdata/") {
			names = append(names, name)
		}
	}
	require.NotEmpty(t, names)
	return names
}

func TestWordsAreFoundInNamesAndProse(t *testing.T) {
	for line, want := range map[string][]string{
		"func toldRuns() {}":               {"told"},
		"census_rows: 1":                   {"census"},
		"It waits for ever.":               {"for ever"},
		"two verdicts":                     {"verdict"},
		"// In vain: refused for good.":    {"in vain", "refused for good"},
		"a tolderone, fallenness, forever": nil,
	} {
		assert.ElementsMatch(t, want, found(line), line)
	}
}
