// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

func TestKeyRules(t *testing.T) {
	rules := newKeyRules(map[string]string{
		"a.*": ActionDrop, "a.b.*": ActionKeep, "a.b.c": ActionHash,
		"gen_ai.prompt": ActionKeep,
	})
	for key, want := range map[string]string{
		"a.x": ActionDrop, "a.b.x": ActionKeep, "a.b.c": ActionHash, "a": "", "": "", "gen_ai.prompt": ActionKeep,
	} {
		assert.Equal(t, want, rules.find(key).action, key)
	}
}

// Batches that run at once have counts and caches of their own.
func TestBatchesAreIndependent(t *testing.T) {
	r := NewRedactor(Settings{Secrets: true})
	batch := func(value string) (ptrace.Traces, *tally.Tally) {
		td := ptrace.NewTraces()
		span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.Attributes().PutStr("x", value)
		t := &tally.Tally{}
		r.Traces(td, t)
		return td, t
	}
	td, counts := batch("password=hunter2")
	assert.EqualValues(t, 1, counts.Redacted())
	assert.Equal(t, map[string]any{"x": "password=***"},
		td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().AsRaw())
	_, counts = batch("nothing")
	assert.Zero(t, counts.Redacted())
}
