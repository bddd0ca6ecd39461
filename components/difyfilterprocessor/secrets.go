// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// mask stands where a secret stood. Nothing below finds a secret in it, so that scrubbing twice is scrubbing once.
const mask = "***"

// scrubber removes secrets from text. It knows them by their shape (Dify's and the model providers' keys, JSON Web Tokens,
// private keys) or by the word before them (password=, Authorization:, Bearer, user:password@). Each shape hangs on one
// rare byte or word, which the standard library finds fast; only where that stands does any code look closer.
type scrubber struct {
	patterns []*regexp.Regexp // the operator's own
}

// cut is a part of a text that goes.
type cut struct{ from, to int }

// scrub returns text without secrets, and whether there were any. Without any, nothing is allocated.
func (s *scrubber) scrub(text string) (string, bool) { return repeat(text, s.pass) }

// repeat looks again as long as something was found: what is gone may have hidden more.
func repeat(text string, pass func(string) (string, bool)) (string, bool) {
	clean, found := pass(text)
	for again, left := found, maxPasses; again && left > 0; left-- {
		clean, again = pass(clean)
	}
	return clean, found
}

// maxPasses is never needed but for an operator's pattern that matches the mask.
const maxPasses = 8

func (s *scrubber) pass(text string) (string, bool) {
	const shortest = 6 // secret with what announces it
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
			continue // within one that is gone
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

// token is a key known by how it begins. What follows must be at least min long; after a prefix that occurs in prose, it
// must hold a digit.
type token struct {
	prefix string
	min    int
	dashes bool // the key goes on after - and _
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

// tokensByLast sorts the prefixes by their last two bytes, the second of which is - or _: most places are ruled out by them.
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

// tokenAt takes the key whose prefix ends at this place.
func tokenAt(text string, at int) (cut, int) {
	for _, t := range tokensByLast[separator(text[at])][text[at-1]] {
		if end := tokens[t].endAt(text, at+1); end > 0 {
			return cut{at + 1, end}, end
		}
	}
	return cut{}, 0
}

// endAt is the end of a key whose prefix ends at this place; 0: there is none.
func (t *token) endAt(text string, at int) int {
	const proof = 128 // within so many bytes a key shows that it is one
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

// webTokenAt takes a JSON Web Token, which begins with eyJ.
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

// googleKeyAt takes a key of Google's, which begins with AIza.
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

// boundary says whether a word can begin at this place: after nothing, after what is no letter or digit, or after a byte
// that a URL has encoded (%20app-...).
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

// webTokenEnd is the end of a JSON Web Token, whose first part ends at run: base64url with dots. 0: it is none.
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

// privateKeyAt takes what stands between the lines of a PEM block whose first line ends here, or all that follows where its
// end was cut off.
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

// bearerAt takes the token after the word Bearer.
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

// parametersAt takes the values that SQLAlchemy writes below a failed statement.
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
