// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package gitleaks

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor"
)

// unknowable are the rules whose keys look like many other texts. docs/redaction.md lists them.
var unknowable = map[string]string{ //nolint:gosec // names of rules
	"sourcegraph-access-token": "one of its forms is 40 hexadecimal digits, like the hash of a commit",
	"kubernetes-secret-yaml":   "any name may precede the value, which is Base64",
}

// surroundings are what can be around a key. %s is the key.
var surroundings = []string{
	"%s", "key %s", "key %s.", "(%s)", `"%s"`, "'%s'", "%s, x", "a=%s&b=1", "<%s>", "<b>%s</b>", "[%s]", "{%s}", "%s;",
	"x\n%s\ny", "`%s`", `{"a":"%s","b":1}`, `{\"a\":\"%s\"}`, "https://example.com/x?y=%s&z=1", "https://example.com/%s",
	"Error: invalid key %s: try again", "%%22%s%%22", "，%s。",
}

// announcements are names before a value. The first %s is the name of a vendor, the second the value.
var announcements = []string{
	`%s_api_key=%s`, `"%s_token": "%s"`, `%s_secret: %s`, `export %s_PASSWORD='%s'`, `{'%s_access_key': '%s'}`,
	`%s.client_secret = "%s"`,
}

// sample is a text with a part that must be removed.
type sample struct {
	rule, text, random string
}

func TestKeysOfEachRuleAreRemoved(t *testing.T) {
	const seed = 1
	source := rand.New(rand.NewPCG(seed, 2))
	var samples []sample
	shapes, announced := 0, 0
	for _, r := range rules(t) {
		forms := surroundings
		switch {
		case unknowable[r.id] != "":
			continue
		case r.announced():
			announced++
			forms = announcements
		default:
			shapes++
			if r.whole() {
				forms = surroundings[:1]
			}
		}
		for _, form := range forms {
			const keys = 3
			for range keys {
				k := r.key(t, source)
				if r.login() && k.random == "" {
					continue // without a password
				}
				text := fmt.Sprintf(form, k.text)
				if r.announced() {
					text = fmt.Sprintf(form, r.keyword, strings.Trim(k.text, `"'`))
				}
				samples = append(samples, sample{r.id, text, k.random})
			}
		}
	}
	clean := redacted(t, samples)
	left := map[string][]string{}
	leaks := 0
	for i, s := range samples {
		require.NotEmpty(t, s.random, s.rule)
		if leaked(clean[i], s.random) {
			left[s.rule] = append(left[s.rule], fmt.Sprintf("%q became %q", s.text, clean[i]))
			leaks++
		}
	}
	t.Logf("%d rules by shape, %d by announcement, %d unknowable; %d texts, %d left", shapes, announced,
		len(unknowable), len(samples), leaks)
	for id, texts := range left {
		t.Errorf("%s: %d left, such as %s", id, len(texts), strings.Join(texts[:min(3, len(texts))], "\n\t"))
	}
	assert.LessOrEqual(t, len(unknowable)*10, shapes+announced)
}

// leaked reports whether eight bytes of the random part of a key are left, or all of a shorter one.
func leaked(clean, random string) bool {
	n := min(8, len(random))
	for at := 0; at+n <= len(random); at++ {
		if strings.Contains(clean, random[at:at+n]) {
			return true
		}
	}
	return false
}

// redacted returns the texts after the processor with its defaults.
func redacted(t *testing.T, samples []sample) []string {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "langgenius/dify-api")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i, s := range samples {
		span := spans.AppendEmpty()
		span.SetTraceID(pcommon.TraceID{1})
		span.SetSpanID(pcommon.SpanID{1, byte(i >> 16), byte(i >> 8), byte(i)})
		span.Attributes().PutStr("error.message", s.text)
	}
	sink := new(consumertest.TracesSink)
	factory := difyfilterprocessor.NewFactory()
	p, err := factory.CreateTraces(t.Context(), processortest.NewNopSettings(factory.Type()),
		factory.CreateDefaultConfig(), sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeTraces(t.Context(), td))
	require.NoError(t, p.Shutdown(t.Context()))
	clean := make([]string, len(samples))
	for _, out := range sink.AllTraces() {
		for _, span := range out.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			id := span.SpanID()
			v, ok := span.Attributes().Get("error.message")
			require.True(t, ok)
			clean[int(id[1])<<16|int(id[2])<<8|int(id[3])] = v.Str()
		}
	}
	require.False(t, slices.Contains(clean, ""), "a text was lost")
	return clean
}
