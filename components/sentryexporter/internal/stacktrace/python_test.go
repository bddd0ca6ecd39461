// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type wantException struct {
	Type, Final string
	Frames      []wantFrame
	Cause       *wantException
	Relation    string
	Members     []*wantException
}

type wantFrame struct {
	File, Function, Source string
	Line                   int
}

// TestPythonAgainstItself takes texts that Python printed and what its traceback module says they contain:
// testdata/tracebacks.py writes both.
func TestPythonAgainstItself(t *testing.T) {
	raw, err := os.ReadFile("testdata/tracebacks.json")
	require.NoError(t, err)
	var corpus struct {
		Cases []struct {
			Name, Text string
			Want       *wantException
		}
	}
	require.NoError(t, json.Unmarshal(raw, &corpus))
	require.Greater(t, len(corpus.Cases), 25)
	for _, c := range corpus.Cases {
		t.Run(c.Name, func(t *testing.T) {
			for name, damage := range damages {
				got, before, ok := ParsePython(damage(c.Text))
				require.True(t, ok, name)
				assert.Empty(t, before, name)
				compare(t, c.Want, got)
			}
		})
	}
}

// damages are what happens to texts on their way, which must change nothing.
var damages = map[string]func(string) string{
	"none":            func(s string) string { return s },
	"carriage return": func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
	"colors":          func(s string) string { return strings.ReplaceAll(s, "  File ", "  \x1b[35mFile \x1b[0m") },
	"cut line break":  func(s string) string { return strings.TrimRight(s, "\n") },
}

func compare(t *testing.T, want *wantException, got *Exception) {
	t.Helper()
	if want == nil {
		require.Nil(t, got)
		return
	}
	require.NotNil(t, got)
	assert.Equal(t, want.Type, got.Type)
	if want.Type != "SyntaxError" {
		final := got.Type
		if got.Message != "" {
			final += ": " + got.Message
		}
		assert.Equal(t, strings.ReplaceAll(want.Final, "__main__.", ""), final)
	}
	compareFrames(t, want.Frames, got.Frames)
	assert.Equal(t, want.Relation, got.Relation)
	compare(t, want.Cause, got.Cause)
	require.Len(t, got.Members, len(want.Members))
	for i, m := range want.Members {
		compare(t, m, got.Members[i])
	}
}

// compareFrames knows that the text folds repeated frames.
func compareFrames(t *testing.T, want []wantFrame, got []Frame) {
	t.Helper()
	i := 0
	for _, f := range got {
		require.Less(t, i, len(want))
		read := wantFrame{File: f.File, Line: f.Line, Function: f.Function, Source: f.Source}
		assert.Equal(t, want[i], read)
		i++
		if f.Note != "" {
			for i < len(want) && want[i] == want[i-1] {
				i++
			}
		}
	}
	assert.Equal(t, len(want), i)
}

func TestPythonOtherForms(t *testing.T) {
	frame := Frame{File: "/app/api/core/a.py", Line: 5, Function: "f", Source: "g(x)"}
	for _, c := range []struct {
		name, text string
		want       Exception
		before     string
	}{
		{
			name: "3.13: several source lines, each with a marker",
			text: "Traceback (most recent call last):\n  File \"/app/api/core/a.py\", line 5, in f\n    g(x)\n    ~^^^\n    .h(\n    ^^^\n    )\n    ^\nValueError: bad\n",
			want: Exception{Type: "ValueError", Message: "bad", Frames: []Frame{{
				File: frame.File, Line: 5, Function: "f", Source: "g(x)", More: []string{".h(", ")"},
			}}},
		},
		{
			name:   "text before",
			text:   "Exception in thread Thread-1 (run):\nTraceback (most recent call last):\n  File \"/app/api/core/a.py\", line 5, in f\n    g(x)\nkombu.exceptions.OperationalError: [Errno 111]\n",
			want:   Exception{Type: "kombu.exceptions.OperationalError", Message: "[Errno 111]", Frames: []Frame{frame}},
			before: "Exception in thread Thread-1 (run):",
		},
		{
			name:   "a logger's prefix before each line",
			text:   "api-1  | Traceback (most recent call last):\napi-1  |   File \"/app/api/core/a.py\", line 5, in f\napi-1  |     g(x)\napi-1  | ValueError: bad\n",
			want:   Exception{Type: "ValueError", Message: "bad", Frames: []Frame{frame}},
			before: "api-1  |",
		},
		{
			name:   "a logger's prefix before the header alone",
			text:   "2026-08-13 ERROR: Traceback (most recent call last):\n  File \"/app/api/core/a.py\", line 5, in f\n    g(x)\nValueError: bad\n",
			want:   Exception{Type: "ValueError", Message: "bad", Frames: []Frame{frame}},
			before: "2026-08-13 ERROR:",
		},
		{
			name: "cut before the type",
			text: "Traceback (most recent call last):\n  File \"/app/api/core/a.py\", line 5, in f\n    g(x)",
			want: Exception{Frames: []Frame{frame}},
		},
		{
			name: "path with quotes and commas",
			text: "Traceback (most recent call last):\n  File \"/a/\"x\", line 9, in y/b.py\", line 5, in f\n    g(x)\nKeyError\n",
			want: Exception{Type: "KeyError", Frames: []Frame{{File: "/a/\"x\", line 9, in y/b.py", Line: 5, Function: "f", Source: "g(x)"}}},
		},
		{
			name: "from another process",
			text: "concurrent.futures.process._RemoteTraceback: \n\"\"\"\nTraceback (most recent call last):\n  File \"/app/api/core/a.py\", line 5, in f\n    g(x)\nValueError: bad\n\"\"\"\n\n" +
				"The above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"/app/api/b.py\", line 1, in main\n    result()\nValueError: bad\n",
			want: Exception{Type: "ValueError", Message: "bad", Frames: []Frame{{File: "/app/api/b.py", Line: 1, Function: "main", Source: "result()"}, frame}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, before, ok := ParsePython(c.text)
			require.True(t, ok)
			assert.Equal(t, c.before, before)
			assert.Equal(t, &c.want, got)
		})
	}
}

func TestPythonRefusesOtherTexts(t *testing.T) {
	for _, text := range []string{"", "ValueError: no trace", "TypeError: x\n    at f (a.js:1:2)\n", "goroutine 1 [running]:\nmain.main()\n"} {
		_, _, ok := ParsePython(text)
		assert.False(t, ok, text)
	}
}

// FuzzPython looks for panics and lost text: each word of the input must be somewhere in what was read, but for those
// that the form itself is made of.
func FuzzPython(f *testing.F) {
	raw, err := os.ReadFile("testdata/tracebacks.json")
	require.NoError(f, err)
	var corpus struct{ Cases []struct{ Text string } }
	require.NoError(f, json.Unmarshal(raw, &corpus))
	for _, c := range corpus.Cases {
		f.Add(c.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		exc, before, ok := ParsePython(text)
		if !ok || !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\r") || strings.Contains(text, remoteType) {
			return
		}
		have := before + " " + wordsOf(exc)
		for _, word := range regexp.MustCompile(`[A-Za-z]{5,}`).FindAllString(text, -1) {
			if word = strings.TrimSuffix(word, "Traceback"); !strings.Contains(form, word) && !strings.Contains(have, word) {
				t.Fatalf("lost %q of %q", word, text)
			}
		}
	})
}

const form = pythonGroupTop + " The above exception was the direct cause of the following exception: " +
	" During handling of the above exception, another exception occurred:"

func wordsOf(exc *Exception) string {
	if exc == nil {
		return ""
	}
	out := []string{exc.Type, exc.Message, strings.Join(exc.Notes, " "), wordsOf(exc.Cause)}
	for _, f := range exc.Frames {
		out = append(out, f.File, f.Function, f.Source, strings.Join(f.More, " "), f.Note)
	}
	for _, m := range exc.Members {
		out = append(out, wordsOf(m))
	}
	return strings.Join(out, " ")
}

func TestLocatePython(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		path string
		want Location
	}{
		{"/app/api/core/workflow/a.py", Location{"core/workflow/a.py", "core.workflow.a", &yes}},
		{"/opt/dify/api/services/__init__.py", Location{"services/__init__.py", "services", &yes}},
		{"/app/api/.venv/lib/python3.12/site-packages/httpx/_client.py", Location{"httpx/_client.py", "httpx._client", &no}},
		{"/usr/lib/python3/dist-packages/six.py", Location{"six.py", "six", &no}},
		{"/usr/local/lib/python3.12/contextlib.py", Location{"contextlib.py", "contextlib", nil}},
		{"<frozen importlib._bootstrap>", Location{"<frozen importlib._bootstrap>", "importlib._bootstrap", nil}},
		{"<string>", Location{"<string>", "", nil}},
		{"/srv/job/main.py", Location{"srv/job/main.py", "", &yes}},
		{`C:\app\api\tasks\x.py`, Location{"tasks/x.py", "tasks.x", &yes}},
	} {
		assert.Equal(t, c.want, LocatePython(c.path), c.path)
	}
}

func TestSplitType(t *testing.T) {
	for full, want := range map[string][2]string{
		"ValueError":         {"", "ValueError"},
		"httpx.ConnectError": {"httpx", "ConnectError"},
		"pydantic_core._pydantic_core.ValidationError": {"pydantic_core._pydantic_core", "ValidationError"},
		"mod.Outer.Inner":     {"mod", "Outer.Inner"},
		"mod.f.<locals>.L2":   {"mod", "f.<locals>.L2"},
		"f.<locals>.L2":       {"", "f.<locals>.L2"},
		"socket.gaierror":     {"socket", "gaierror"},
		"*errors.errorString": {"", "*errors.errorString"},
		"":                    {"", ""},
	} {
		module, class := SplitType(full)
		assert.Equal(t, want, [2]string{module, class}, full)
	}
}
