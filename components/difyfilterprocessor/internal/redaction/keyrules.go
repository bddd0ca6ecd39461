// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"cmp"
	"slices"
	"strings"
)

// keyRule is how the values of a key are redacted.
type keyRule struct {
	class  class
	action string // configured by the operator; it takes precedence over the class
	key    string
	name   string // the key without secrets
	// plainStays is true if a plain text stays as it is.
	plainStays bool
}

// staysPlain reports whether a text in which the scanner finds nothing stays as it is.
func staysPlain(rule keyRule) bool {
	switch rule.class {
	case unknown, safe, nested, url, identity:
		return rule.action == "" || rule.action == ActionKeep
	}
	return false
}

// keyRules finds the rule for each key.
type keyRules struct {
	exact    map[string]keyRule
	prefixes []affix // the longest first
	suffixes []affix
}

type affix struct {
	text string
	rule keyRule
}

func newKeyRules(configured map[string]string) *keyRules {
	k := &keyRules{exact: map[string]keyRule{}}
	for class, keys := range keyTable {
		for _, key := range keys {
			k.add(key, keyRule{class: classOf(class)})
		}
	}
	for key, action := range configured {
		k.add(key, keyRule{class: safe, action: action})
	}
	// A configured affix was added last and takes precedence over a built-in one of equal length.
	slices.Reverse(k.prefixes)
	for _, list := range [...][]affix{k.prefixes, k.suffixes} {
		slices.SortStableFunc(list, func(a, b affix) int { return cmp.Compare(len(b.text), len(a.text)) })
	}
	return k
}

func classOf(i int) class { return class(i) } //nolint:gosec // an index of keyTable

func (k *keyRules) add(key string, rule keyRule) {
	if prefix, ok := strings.CutSuffix(key, "*"); ok && !strings.Contains(prefix, "*") {
		k.prefixes = append(k.prefixes, affix{prefix, rule})
	} else if suffix, ok := strings.CutPrefix(key, "*"); ok {
		k.suffixes = append(k.suffixes, affix{suffix, rule})
	} else if before, after, ok := strings.Cut(key, "*"); ok {
		k.suffixes = append(k.suffixes, affix{before + "*" + after, rule})
	} else {
		k.exact[key] = rule
	}
}

// find returns the rule for a key.
func (k *keyRules) find(key string) keyRule {
	if rule, ok := k.exact[key]; ok {
		return rule
	}
	lower := lowerASCII(key)
	if rule, ok := k.exact[lower]; ok && rule.action == "" {
		return rule
	}
	for _, p := range k.prefixes {
		if p.rule.action != "" && strings.HasPrefix(key, p.text) {
			return p.rule
		}
	}
	if announces(key) == strong {
		return keyRule{class: secret}
	}
	for _, p := range k.prefixes {
		if strings.HasPrefix(lower, p.text) {
			return p.rule
		}
	}
	for _, s := range k.suffixes {
		before, after, both := strings.Cut(s.text, "*")
		if both && strings.HasPrefix(lower, before) && strings.HasSuffix(lower, after) {
			return s.rule
		}
		if !both && strings.HasSuffix(lower, s.text) {
			return s.rule
		}
	}
	return keyRule{}
}

// lowerASCII is strings.ToLower for the letters that rules have. That function takes many times as long for a key that
// is long and not ASCII.
func lowerASCII(text string) string {
	first := strings.IndexFunc(text, func(r rune) bool { return 'A' <= r && r <= 'Z' })
	if first < 0 {
		return text
	}
	lower := []byte(text)
	for i := first; i < len(lower); i++ {
		if b := lower[i]; 'A' <= b && b <= 'Z' {
			lower[i] = b + 'a' - 'A'
		}
	}
	return string(lower)
}
