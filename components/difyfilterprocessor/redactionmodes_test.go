// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The patterns for personal data in docs/redaction.md match what they are for, and nothing else.
func TestDocumentedPatterns(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "redaction.md"))
	require.NoError(t, err)
	var patterns []string
	for _, found := range regexp.MustCompile(`(?m)^\s+- '(.+)'\s+#`).FindAllStringSubmatch(string(page), -1) {
		patterns = append(patterns, found[1])
	}
	require.Len(t, patterns, 4)
	b := newHarness(t, func(c *Config) { c.Redaction.SecretPatterns = patterns })
	for text, want := range map[string]string{
		"mail from jane.doe+x@example.org.": "mail from ***",
		"call 13812345678 now":              "call *** now",
		"number 11010519491231002X":         "number ***",
		"card 4111 1111 1111 1111":          "card ***",
		"took 1381 ms at 10:00":             "took 1381 ms at 10:00",
	} {
		span := byID(b.traces(t, batchOf(kv{"service.name": "x"}, spanSpec{id: 1, name: text})), 1)
		assert.Equal(t, want, span.Name())
	}
}

func TestUserIDs(t *testing.T) {
	const uuid = "8c3ec7a9-1a2e-4b52-9f4c-2a8d7f0b6f11"
	for action, want := range map[string]kv{
		"hash": {"enduser.id": uuid},
		"keep": {"gen_ai.user.id": "jane@example.org", "enduser.id": uuid},
		"drop": {},
	} {
		b := newHarness(t, func(c *Config) { c.Redaction.UserIDs = action })
		got := byID(b.traces(t, batchOf(kv{"service.name": "x"}, spanSpec{id: 1, kv: kv{
			"gen_ai.user.id": "jane@example.org", "enduser.id": uuid,
		}})), 1).Attributes().AsRaw()
		if action == "hash" {
			assert.Regexp(t, "^sha256:[0-9a-f]{64}$", got["gen_ai.user.id"])
			assert.Equal(t, want["enduser.id"], got["enduser.id"])
			continue
		}
		assert.Equal(t, want, got)
	}
}

func TestUnknownContent(t *testing.T) {
	long := strings.Repeat("x", 300)
	in := kv{"acme.long": long, "acme.json": `{"a": 1}`, "acme.short": "x"}
	dify := kv{"service.name": "langgenius/dify", "service.version": "dify-1.20.0"}
	other := kv{"service.name": "shop"}
	names := func(res kv, change ...func(*Config)) []string {
		var keys []string
		td := newHarness(t, change...).traces(t, batchOf(res, spanSpec{id: 1, kv: in}))
		for key := range byID(td, 1).Attributes().All() {
			keys = append(keys, key)
		}
		return keys
	}
	assert.ElementsMatch(t, []string{"acme.short"}, names(dify))
	assert.Len(t, names(other), 3)
	assert.Len(t, names(dify, func(c *Config) { c.Redaction.Unknown = "keep" }), 3)
	assert.ElementsMatch(t, []string{"acme.short", "acme.long"}, names(dify, func(c *Config) {
		c.Redaction.Keys = map[string]string{"acme.long": "keep"}
	}))
}

func TestAudit(t *testing.T) {
	b := newHarness(t, func(c *Config) { c.Redaction.Mode = "audit" })
	in := kv{"gen_ai.prompt": "hello", "note": "password=hunter2"}
	got := byID(b.traces(t, batchOf(kv{"service.name": "x"}, spanSpec{id: 1, kv: in})), 1).Attributes().AsRaw()
	assert.Equal(t, map[string]any{
		"gen_ai.prompt": "hello", "note": "password=hunter2",
		"dify.redaction.audit": []any{"key span gen_ai.prompt", "secret span note"},
	}, got)
	assert.EqualValues(t, 2, sum(b.counter(t, "otelcol_dify_filter_redacted_values")))
}
