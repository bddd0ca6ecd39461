// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package gitleaks

import (
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// key is a text that a rule recognizes.
type key struct {
	text   string
	random string // its longest part that is not the same in each key
}

// generator writes texts that match an expression.
type generator struct {
	*rand.Rand
	login  bool // only what follows a colon counts
	text   strings.Builder
	random string // the current part
	best   string
}

// key returns a key of a rule: what its first group matches, or all of it.
func (r *rule) key(t *testing.T, source *rand.Rand) key {
	t.Helper()
	// Vendors' prefixes have the case of the rule.
	pattern := strings.NewReplacer("(?i)", "", "(?i:", "(?:", "(?-i:", "(?:").Replace(r.pattern.String())
	tree, err := syntax.Parse(pattern, syntax.Perl)
	require.NoError(t, err, r.id)
	if group := firstGroup(tree); group != nil && !r.whole() {
		tree = group
	}
	g := &generator{Rand: source, login: r.login()}
	g.write(tree)
	g.literal("")
	for !g.login && g.best == "" && len(g.random) < 24 { // the rule has only the beginning of the key
		g.class(func(rune) bool { return true })
	}
	g.literal("")
	return key{g.text.String(), g.best}
}

// whole reports whether a key is only recognized with what surrounds it.
func (r *rule) whole() bool {
	return strings.Contains(r.id, "curl") || strings.Contains(r.id, "url") || strings.Contains(r.id, "webhook") ||
		strings.Contains(r.id, "yaml") || strings.Contains(r.id, "nuget") || strings.Contains(r.id, "freemius") ||
		strings.Contains(r.id, "jwt-base64")
}

// login reports whether a rule is about the login of a URL or of curl, the user of which stays.
func (r *rule) login() bool { return r.id == "sidekiq-sensitive-url" || r.id == "curl-auth-user" }

func firstGroup(tree *syntax.Regexp) *syntax.Regexp {
	if tree.Op == syntax.OpCapture {
		return tree
	}
	for _, sub := range tree.Sub {
		if group := firstGroup(sub); group != nil {
			return group
		}
	}
	return nil
}

// literal ends a random part.
func (g *generator) literal(text string) {
	g.text.WriteString(text)
	if len(g.random) > len(g.best) {
		g.best = g.random
	}
	if g.login && strings.Contains(text, ":") {
		g.best = ""
	}
	g.random = ""
}

func (g *generator) class(allowed func(rune) bool) {
	const preferred = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var of []rune
	for _, c := range preferred {
		if allowed(c) {
			of = append(of, c)
		}
	}
	for c := rune(' '); len(of) == 0 && c < 0x7f; c++ {
		if allowed(c) {
			of = append(of, c)
		}
	}
	if len(of) == 0 {
		of = []rune{'\n'}
	}
	c := of[g.IntN(len(of))]
	g.text.WriteRune(c)
	if len(of) > 3 {
		g.random += string(c)
	} else {
		g.literal("")
	}
}

func (g *generator) write(tree *syntax.Regexp) {
	switch tree.Op {
	case syntax.OpLiteral:
		g.literal(string(tree.Rune))
	case syntax.OpCharClass:
		g.class(func(c rune) bool {
			for i := 0; i+1 < len(tree.Rune); i += 2 {
				if tree.Rune[i] <= c && c <= tree.Rune[i+1] {
					return true
				}
			}
			return false
		})
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL: // alone, it means a dot
		g.literal(".")
	case syntax.OpAlternate:
		g.write(tree.Sub[g.IntN(len(tree.Sub))])
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range tree.Sub {
			g.write(sub)
		}
	default:
		g.repeat(tree)
	}
}

// repeat writes the least number of repetitions, and sometimes a few more.
func (g *generator) repeat(tree *syntax.Regexp) {
	if len(tree.Sub) == 0 { // the beginning or the end of a word or a line
		return
	}
	least, most := 0, 0
	switch tree.Op {
	case syntax.OpPlus:
		least, most = 12, 16
	case syntax.OpRepeat:
		least, most = tree.Min, tree.Max
		if most < 0 || most > least+8 {
			most = least + 8
		}
		if tree.Flags&syntax.NonGreedy != 0 || least == 0 {
			least = max(least, 1)
			most = least
		}
	}
	if op := tree.Sub[0].Op; op == syntax.OpAnyChar || op == syntax.OpAnyCharNotNL {
		for range least {
			g.class(func(rune) bool { return true })
		}
		return
	}
	for range least + g.IntN(most-least+1) {
		g.write(tree.Sub[0])
	}
}
