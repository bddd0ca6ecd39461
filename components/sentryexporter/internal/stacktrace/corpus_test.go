// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool(
	"rewrite",
	false,
	"write what is read into testdata/corpus; the run fails, and the change is for people to read",
)

const (
	caseMark = "=== "
	readMark = "--- read as"
)

// corpusCase is a text as it comes out of a log or an attribute, and an outline of what it should be read as.
type corpusCase struct{ name, text, want string }

func readCorpus(tb testing.TB, path string) []corpusCase {
	tb.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(tb, err)
	var out []corpusCase
	for _, part := range strings.Split("\n"+string(raw), "\n"+caseMark)[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		text, want, _ := strings.Cut(rest, "\n"+readMark+"\n")
		out = append(out, corpusCase{name, text, strings.TrimRight(want, "\n")})
	}
	return out
}

// TestCorpus reads each text of testdata/corpus/*.txt. Those of Python, Node and Java that a program could write with
// its own opinion on them are in testdata/oracle.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "corpus", "*.txt"))
	require.NoError(t, err)
	count := 0
	for _, file := range files {
		cases := readCorpus(t, file)
		count += len(cases)
		for i, c := range cases {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+c.name, func(t *testing.T) {
				got := outline(c.text)
				if *rewrite {
					cases[i].want = got
				}
				assert.Equal(t, c.want, got)
			})
		}
		if *rewrite {
			writeCorpus(t, file, cases)
		}
	}
	assert.GreaterOrEqual(t, count, 60)
	assert.False(t, *rewrite, "rewritten: read the change")
}

func writeCorpus(t *testing.T, path string, cases []corpusCase) {
	t.Helper()
	var out strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&out, "%s%s\n%s\n%s\n%s\n\n", caseMark, c.name, c.text, readMark, c.want)
	}
	require.NoError(t, os.WriteFile(path, []byte(out.String()), 0o600))
}

// outline shows what a text was read as, one line a frame: origin, module, function, place, source.
func outline(text string) string {
	exc, before, ok := Parse(text)
	if !ok {
		return "not read"
	}
	var out strings.Builder
	if before != "" {
		fmt.Fprintf(&out, "before %q\n", before)
	}
	outlineException(&out, "", string(exc.Language), exc)
	return strings.TrimRight(out.String(), "\n")
}

func outlineException(out *strings.Builder, indent, label string, exc *Exception) {
	module, class := exc.Class()
	fmt.Fprintf(out, "%s%s %s[%s] %q\n", indent, label, dotted(module), class, exc.Message)
	for _, f := range exc.Frames {
		origin := "std"
		if f.InApp != nil {
			origin = map[bool]string{true: "app", false: "lib"}[*f.InApp]
		}
		place := f.Filename
		if f.Line > 0 {
			place += fmt.Sprint(":", f.Line)
		}
		if f.Column > 0 {
			place += fmt.Sprint(":", f.Column)
		}
		line := []string{indent + "  " + origin, dotted(f.Module) + f.Function, place}
		for _, s := range append([]string{f.Source}, f.More...) {
			if s != "" {
				line = append(line, "| "+s)
			}
		}
		if f.Package != "" || f.Note != "" {
			line = append(line, "#", strings.TrimSpace(f.Package+" "+f.Note))
		}
		fmt.Fprintln(out, strings.Join(line, " "))
	}
	for _, note := range exc.Notes {
		fmt.Fprintf(out, "%s  note %q\n", indent, note)
	}
	for _, m := range exc.Members {
		outlineException(out, indent+"  ", "member", m)
	}
	for _, m := range exc.Suppressed {
		outlineException(out, indent+"  ", "suppressed", m)
	}
	if exc.Cause != nil {
		outlineException(out, indent, exc.Relation, exc.Cause)
	}
}

func dotted(module string) string {
	if module == "" {
		return ""
	}
	return module + "."
}

// TestTextsWithoutStackTrace are left alone.
func TestTextsWithoutStackTrace(t *testing.T) {
	for _, text := range []string{
		"", "\n\n", "ValueError: no trace", "look at the end (really)", "    at the end", "someone@example.com:25:1",
		"goroutine 1 [running]:\nmain.main()\n", "goroutine 1 [running]:main.main()/app/main.go:5 +0x1d",
		"see /app/main.go:12", "File \"a.py\", line 3", "Script error.",
	} {
		assert.Equal(t, "not read", outline(text), text)
	}
}

// TestHostileTexts has megabytes that would take minutes, or all memory, if anything were processed repeatedly.
func TestHostileTexts(t *testing.T) {
	const many = 5_000
	for name, text := range map[string]string{
		"blanks": strings.Repeat(" ", many*50) + "\n" + strings.Repeat(strings.Repeat(" ", 100)+"x\n", many/10),
		"groups": pythonGroupTop + "\n" + strings.Repeat("  | E: x\n  +-+---------------- 1 ----------------\n", many),
		"chain": strings.Repeat(pythonHeader+"\nE: x\n\n"+
			"During handling of the above exception, another exception occurred:\n\n", many),
		"quotes":  strings.Repeat("m.RemoteTraceback: \n\"\"\"\n"+pythonHeader+"\nE\n", many),
		"JS text": "Error: x\n" + strings.Repeat("    at f (a.js:1:2)\ntext\n", many),
		"JS cause": "Error: x\n    at f (a.js:1:2) {\n" +
			strings.Repeat("  [cause]: Error: x\n    at f (a.js:1:2) {\n", many),
		"goroutines": "panic: x\n\n" + strings.Repeat("goroutine 1 [running]:\nmain.f()\n\t/a.go:1 +0x1\n\n", many),
		"Java": "a.B: x\n" + strings.Repeat("\tat a.B.c(B.java:1)\n", many) +
			strings.Repeat("Caused by: a.B: x\n\t... 20000 more\n", many),
	} {
		t.Run(name, func(t *testing.T) {
			exc, _, ok := Parse(text)
			if !ok {
				return
			}
			frames := 0
			exc.each(func(e *Exception) { frames += len(e.Frames) })
			assert.LessOrEqual(t, frames, 2*many)
		})
	}
}

// TestFramesWithoutNumber checks that a frame whose number is missing or absurd is kept, and those below it too: since
// 3.11, CPython prints `line None` for some.
func TestFramesWithoutNumber(t *testing.T) {
	for _, number := range []string{"None", "-1", "?", "", "99999999999999999999", "4294967296"} {
		exc, _, ok := Parse("Traceback (most recent call last):\n  File \"/app/api/a.py\", line 1, in f\n    g()\n" +
			"  File \"/app/api/b.py\", line " + number + ", in g\n    h()\n" +
			"  File \"/app/api/c.py\", line 3, in h\n    raise E\nE: x\n")
		require.True(t, ok, number)
		require.Len(t, exc.Frames, 3, number)
		assert.Equal(t, "x", exc.Message, number)
		assert.Zero(t, exc.Frames[1].Line, number)
		assert.Equal(t, "h()", exc.Frames[1].Source, number)
	}
}
