// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// oracleCase is a text that a language printed, with what its own means say it contains. The programs in
// testdata/oracle write both.
type oracleCase struct {
	Name, Text string
	Want       *wantException
}

type wantException struct {
	Type, Final         string
	Frames              []wantFrame
	Cause               *wantException
	Relation            string
	Members, Suppressed []*wantException
}

type wantFrame struct {
	File, Function, Module, Source string
	Line, Column                   int
}

// oracles have the minimum number of cases of each file, and what its language does not print of a frame.
var oracles = []struct {
	file     string
	language Language
	least    int
	unknown  func(*wantFrame)
}{
	{"python-3.8", Python, 45, pythonUnknown},
	{"python-3.9", Python, 45, pythonUnknown},
	{"python-3.10", Python, 45, pythonUnknown},
	{"python-3.11", Python, 55, pythonUnknown},
	{"python-3.12", Python, 55, pythonUnknown},
	{"python-3.13", Python, 55, pythonUnknown},
	{"node", JavaScript, 17, func(f *wantFrame) {
		f.Function, f.Module, f.Source = "", "", ""
		if f.File == "" || f.File == "<anonymous>" { // a call site of native or evaluated code has no place
			f.File, f.Line, f.Column = "", 0, 0
		}
	}},
	{"java", Java, 11, func(f *wantFrame) { f.Column, f.Source = 0, "" }},
}

func pythonUnknown(f *wantFrame) { f.Module, f.Column = "", 0 }

func readOracle(tb testing.TB, name string) []oracleCase {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "oracle", name+".jsonl"))
	require.NoError(tb, err)
	var out []oracleCase
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c oracleCase
		require.NoError(tb, json.Unmarshal(lines.Bytes(), &c))
		out = append(out, c)
	}
	require.NoError(tb, lines.Err())
	return out
}

func TestAgainstTheLanguages(t *testing.T) {
	for _, o := range oracles {
		cases := readOracle(t, o.file)
		require.GreaterOrEqual(t, len(cases), o.least)
		for _, c := range cases {
			t.Run(o.file+"/"+c.Name, func(t *testing.T) {
				for name, damage := range damages {
					got, before, ok := Parse(damage(c.Text))
					require.True(t, ok, name)
					assert.Equal(t, o.language, got.Language)
					if name == "a logger's prefix" {
						assert.Equal(t, "api-1  |", before)
					} else {
						assert.Empty(t, before, name)
					}
					compare(t, o.unknown, c.Want, got)
				}
			})
		}
	}
}

// damages are what happens to texts on their way, which must change nothing.
var damages = map[string]func(string) string{
	"none":            func(s string) string { return s },
	"carriage return": func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
	"colors":          func(s string) string { return strings.ReplaceAll(s, "  File ", "  \x1b[35mFile \x1b[0m") },
	"cut line break":  func(s string) string { return strings.TrimRight(s, "\n") },
	"a logger's prefix": func(s string) string {
		return "api-1  | " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\napi-1  | ")
	},
}

func compare(t *testing.T, unknown func(*wantFrame), want *wantException, got *Exception) {
	t.Helper()
	if want == nil {
		require.Nil(t, got)
		return
	}
	require.NotNil(t, got)
	// A message of spaces counts as empty.
	final := strings.TrimRight(strings.TrimSpace(strings.ReplaceAll(want.Final, "__main__.", "")), ": \n")
	if !strings.HasPrefix(final, "File ") { // a syntax error begins with its position
		assert.Equal(t, want.Type, got.Type)
		assert.Equal(t, final, finalOf(got))
	} else {
		assert.Contains(t, final, got.Type)
		assert.Contains(t, final, got.Message)
		assert.Len(t, got.Notes, 1, "the place of the syntax error")
	}
	compareFrames(t, unknown, want.Frames, got.Frames)
	assert.Equal(t, want.Relation, got.Relation)
	compare(t, unknown, want.Cause, got.Cause)
	require.Len(t, got.Members, len(want.Members))
	for i, m := range want.Members {
		compare(t, unknown, m, got.Members[i])
	}
	require.Len(t, got.Suppressed, len(want.Suppressed))
	for i, m := range want.Suppressed {
		compare(t, unknown, m, got.Suppressed[i])
	}
}

func finalOf(exc *Exception) string {
	if exc.Message == "" {
		return exc.Type
	}
	return exc.Type + ": " + exc.Message
}

// compareFrames knows that Python's text folds repeated frames.
func compareFrames(t *testing.T, unknown func(*wantFrame), want []wantFrame, got []Frame) {
	t.Helper()
	i := 0
	for _, f := range got {
		require.Less(t, i, len(want))
		read := wantFrame{
			File:     f.File,
			Line:     f.Line,
			Column:   f.Column,
			Function: f.Function,
			Module:   f.Module,
			Source:   f.Source,
		}
		expected := want[i]
		unknown(&read)
		unknown(&expected)
		if expected.File == "" { // the language does not print where that is
			read.File, read.Line, read.Column = "", 0, 0
		}
		assert.Equal(t, expected, read)
		i++
		if strings.HasPrefix(f.Note, "[Previous line") {
			for i < len(want) && want[i] == want[i-1] {
				i++
			}
		}
	}
	assert.Equal(t, len(want), i)
}
