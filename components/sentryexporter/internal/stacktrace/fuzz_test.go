// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzParse looks for panics and lost text: each word of the input must be somewhere in what was read, but for those
// that the forms themselves are made of.
func FuzzParse(f *testing.F) {
	for _, o := range oracles {
		for _, c := range readOracle(f, o.file) {
			f.Add(c.Text)
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "corpus", "*.txt"))
	require.NoError(f, err)
	for _, file := range files {
		for _, c := range readCorpus(f, file) {
			f.Add(c.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		exc, before, ok := Parse(text)
		if !ok || !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\r\x00") {
			return
		}
		have := before + "\n" + wordsOf(exc)
		for _, word := range words.FindAllString(numbers.ReplaceAllString(headers.Replace(text), " "), -1) {
			if !formWords[word] && !strings.Contains(have, word) {
				t.Fatalf("lost %q of %q", word, text)
			}
		}
	})
}

var (
	words   = regexp.MustCompile(`[A-Za-z]{5,}`)
	numbers = regexp.MustCompile(`0x[0-9a-fA-F]+`)
	headers = strings.NewReplacer(pythonGroupHeader, " ", pythonHeader, " ") // which may stand right behind a word
)

// formWords belong to the forms: headers, joining lines, labels.
var formWords = wordSet(pythonGroupTop + " The above exception was the direct cause of the following exception: " +
	" During handling of the above exception, another exception occurred: async [cause]: [errors]: " +
	"Caused by: Suppressed: common frames omitted panic: [recovered, repanicked] RemoteTraceback")

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words.FindAllString(text, -1) {
		set[w] = true
	}
	return set
}

func wordsOf(exc *Exception) string {
	var out []string
	exc.each(func(e *Exception) {
		out = append(out, e.Type, e.Message, strings.Join(e.Notes, "\n"))
		for _, f := range e.Frames {
			out = append(out, f.File, f.Module, f.Package, f.Function, f.Source, strings.Join(f.More, "\n"), f.Note)
		}
	})
	return strings.Join(out, "\n")
}
