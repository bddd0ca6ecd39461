// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// token is the shape of a key with a known prefix. What follows the prefix must have at least min characters and,
// after a prefix that occurs in prose, a digit.
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
