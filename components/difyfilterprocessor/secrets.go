// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// mask replaces a secret. It is never recognized as a secret itself, so that scrubbing is idempotent.
const mask = "***"

// scrubber removes secrets from text. It recognizes them by their shape (keys of Dify and of model providers, JSON Web
// Tokens, private keys) or by the word before them (password=, Authorization:, Bearer, user:password@). Each shape has one
// trigger byte; only where that occurs does the scrubber look closer.
type scrubber struct {
	patterns []*regexp.Regexp // configured by the operator
}

// cut is a part of a text that is replaced with the mask.
type cut struct{ from, to int }

// scrub returns text without secrets and reports whether it had any. If not, it does not allocate.
func (s *scrubber) scrub(text string) (string, bool) { return repeat(text, s.pass) }

// repeat calls pass until it finds nothing more, since one secret may hide another.
func repeat(text string, pass func(string) (string, bool)) (string, bool) {
	clean, found := pass(text)
	for again, left := found, maxPasses; again && left > 0; left-- {
		clean, again = pass(clean)
	}
	return clean, found
}

// maxPasses is only reached if a pattern of the operator matches the mask.
const maxPasses = 8

func (s *scrubber) pass(text string) (string, bool) {
	const shortest = 6 // length of a secret with the word before it
	var cuts []cut
	if len(text) >= shortest {
		cuts = findSecrets(cuts, text)
	}
	for _, pattern := range s.patterns {
		for _, at := range pattern.FindAllStringIndex(text, -1) {
			if text[at[0]:at[1]] != mask {
				cuts = append(cuts, cut{at[0], at[1]})
			}
		}
	}
	if len(cuts) == 0 {
		return text, false
	}
	return apply(text, cuts), true
}

func apply(text string, cuts []cut) string {
	slices.SortFunc(cuts, func(a, b cut) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	b.Grow(len(text))
	at := 0
	for _, c := range cuts {
		if c.to <= at {
			continue // within the cut before
		}
		if c.from >= at {
			b.WriteString(text[at:c.from])
			b.WriteString(mask)
		}
		at = c.to
	}
	b.WriteString(text[at:])
	return b.String()
}

// token is the shape of a key with a known prefix. What follows the prefix must have at least min characters and, after a
// prefix that occurs in prose, a digit.
type token struct {
	prefix string
	min    int
	dashes bool // the key may contain - and _
	digit  bool
}

var tokens = []token{
	{prefix: "app-", min: 16},                           // Dify, an app's API key
	{prefix: "dataset-", min: 16},                       // Dify, a knowledge API key
	{prefix: "sk-", min: 16, dashes: true, digit: true}, // OpenAI, Anthropic, DeepSeek, Langfuse and more
	{prefix: "pplx-", min: 16},                          // Perplexity
	{prefix: "nvapi-", min: 16, dashes: true},           // NVIDIA
	{prefix: "tvly-", min: 16, dashes: true},            // Tavily
	{prefix: "fc-", min: 24},                            // Firecrawl
	{prefix: "xai-", min: 16},                           // xAI
	{prefix: "glpat-", min: 16, dashes: true},           // GitLab
	{prefix: "xoxb-", min: 16, dashes: true},            // Slack
	{prefix: "xoxp-", min: 16, dashes: true},            // Slack
	{prefix: "gsk_", min: 16},                           // Groq
	{prefix: "hf_", min: 16},                            // Hugging Face
	{prefix: "ghp_", min: 16},                           // GitHub
	{prefix: "gho_", min: 16},                           // GitHub
	{prefix: "ghs_", min: 16},                           // GitHub
	{prefix: "github_pat_", min: 16, dashes: true},      // GitHub
	{prefix: "lsv2_pt_", min: 16, dashes: true},         // LangSmith
	{prefix: "lsv2_sk_", min: 16, dashes: true},         // LangSmith
	{prefix: "r8_", min: 16},                            // Replicate
	{prefix: "sk_", min: 16, dashes: true, digit: true}, // ElevenLabs, Stripe
}

// tokensByLast has the prefixes by their last two bytes, the second of which is - or _. They exclude most positions.
var tokensByLast = func() (by [2][256][]int) {
	for i, t := range tokens {
		last := t.prefix[len(t.prefix)-1]
		by[separator(last)][t.prefix[len(t.prefix)-2]] = append(by[separator(last)][t.prefix[len(t.prefix)-2]], i)
	}
	return by
}()

var separators = [2]byte{'-', '_'}

func separator(c byte) int {
	if c == separators[0] {
		return 0
	}
	return 1
}

// tokenAt finds the key whose prefix ends at this position.
func tokenAt(text string, at int) (cut, int) {
	for _, t := range tokensByLast[separator(text[at])][text[at-1]] {
		if end := tokens[t].endAt(text, at+1); end > 0 {
			return cut{at + 1, end}, end
		}
	}
	return cut{}, 0
}

// endAt returns the end of the key whose prefix ends at this position, or 0 if there is none.
func (t *token) endAt(text string, at int) int {
	const proof = 128 // number of bytes that decide whether it is a key
	if !strings.HasSuffix(text[:at], t.prefix) || !boundary(text, at-len(t.prefix)) {
		return 0
	}
	near := text[:min(len(text), at+proof)]
	end := runEnd(near, at, t.dashes)
	if end-at < t.min || (t.digit && !strings.ContainsAny(text[at:end], "0123456789")) {
		return 0
	}
	return runEnd(text, end, t.dashes)
}

// webTokenAt finds a JSON Web Token, which begins with eyJ.
func webTokenAt(text string, at int) (cut, int) {
	if at < 0 || !strings.HasPrefix(text[at:], "eyJ") {
		return cut{}, 0
	}
	run := runEnd(text, at, true)
	if end := webTokenEnd(text, at, run); end > 0 && boundary(text, at) {
		return cut{at, end}, end
	}
	return cut{}, run
}

// googleKeyAt finds a Google API key, which begins with AIza.
func googleKeyAt(text string, at int) (cut, int) {
	const long = 34
	if at < 0 || !strings.HasPrefix(text[at:], "AIza") {
		return cut{}, 0
	}
	end := runEnd(text, at, true)
	if end-at >= long && boundary(text, at) {
		return cut{at + len("AIza"), end}, end
	}
	return cut{}, end
}

// boundary reports whether a word can begin at this position: at the start of the text, after a character that is not a
// letter or digit, or after a percent-encoded byte (%20app-...).
func boundary(text string, at int) bool {
	if at == 0 || !isAlnum(text[at-1]) {
		return true
	}
	if at >= 2 && text[at-2] == '\\' { // \n in text within JSON
		return true
	}
	return at >= 3 && text[at-3] == '%' && isHexDigit(text[at-2]) && isHexDigit(text[at-1])
}

func runEnd(text string, at int, dashes bool) int {
	for at < len(text) && (isAlnum(text[at]) || (dashes && (text[at] == '-' || text[at] == '_'))) {
		at++
	}
	return at
}

// webTokenEnd returns the end of a JSON Web Token whose first part ends at run: base64url with dots. It returns 0 if
// there is none.
func webTokenEnd(text string, at, run int) int {
	if run == len(text) || text[run] != '.' || run-at < 10 {
		return 0
	}
	end := run
	for end < len(text) && text[end] == '.' {
		next := runEnd(text, end+1, true)
		if next == end+1 {
			break
		}
		end = next
	}
	return end
}

// privateKeyAt finds the content of a PEM block whose first line ends here. If the last line is missing, it is the rest
// of the text.
func privateKeyAt(text string, at int) (cut, int) {
	from := at + len("-----")
	if !strings.HasPrefix(text[at:], "-----") || !strings.HasSuffix(text[:at], "PRIVATE KEY") || !strings.Contains(text[max(0, at-35):at], "-----BEGIN ") {
		return cut{}, 0
	}
	end := index(text, "-----END", from)
	if end < 0 {
		end = len(text)
	}
	if text[from:end] == mask {
		return cut{}, end
	}
	return cut{from, end}, min(end+len("-----END "), len(text))
}

// bearerAt finds the token after the word Bearer.
func bearerAt(text string, at int) (cut, int) {
	const word, shortest = "bearer", 6
	after := at + len(word)
	if after > len(text) || (text[at+1:after] != "earer" && text[at+1:after] != "EARER") {
		return cut{}, 0
	}
	start := pastBlanks(text, after)
	end := bearerEnd(text, start)
	if start == after || end-start < shortest {
		return cut{}, end
	}
	return cut{start, end}, end
}

func pastBlanks(text string, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t') {
		at++
	}
	if strings.HasPrefix(text[at:], "%20") {
		at += 3
	}
	return at
}

func bearerEnd(text string, at int) int {
	for at < len(text) && (isAlnum(text[at]) || strings.IndexByte("-._~+/=%", text[at]) >= 0) {
		at++
	}
	return at
}

// parametersAt finds the values that SQLAlchemy writes below a failed statement.
func parametersAt(text string, at int) (cut, int) {
	const opening = "[parameters: "
	if !strings.HasPrefix(text[at:], opening) {
		return cut{}, 0
	}
	from, line := at+len(opening), len(text)
	if n := indexByte(text, '\n', from); n >= 0 {
		line = n
	}
	end := from + len(strings.TrimSuffix(text[from:line], "]"))
	if text[from:end] == mask {
		return cut{}, line
	}
	return cut{from, end}, line
}

func index(text, word string, from int) int {
	if at := strings.Index(text[from:], word); at >= 0 {
		return from + at
	}
	return -1
}

func indexByte(text string, c byte, from int) int {
	if at := strings.IndexByte(text[from:], c); at >= 0 {
		return from + at
	}
	return -1
}

func isAlnum(c byte) bool {
	return ('0' <= c && c <= '9') || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z')
}

func isHexDigit(c byte) bool {
	return ('0' <= c && c <= '9') || ('a' <= c && c <= 'f') || ('A' <= c && c <= 'F')
}
