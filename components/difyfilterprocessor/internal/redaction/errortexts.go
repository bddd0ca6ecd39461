// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"encoding/json"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction/quotation"
)

// trace is the trace of the current item, with what users and models wrote in it.
type trace struct {
	id      pcommon.TraceID
	read    bool
	phrases []string
}

// quotations cuts from an error text what users and models wrote in the same trace.
func (c *cleaner) quotations(key, text string, to func(string)) {
	if !c.redactor.set.Messages || c.trace.id.IsEmpty() || text == "" {
		return
	}
	if !c.trace.read {
		c.trace.phrases, c.trace.read = c.redactor.set.Written.Of(c.trace.id), true
	}
	ends := "\n"
	if isStructuredText(text) {
		ends = "\n\""
	}
	found := quotation.Find(text, c.trace.phrases, ends)
	if len(found) == 0 {
		return
	}
	cuts := make([]cut, len(found))
	for i, r := range found {
		cuts[i] = cut{r.From, r.To, ruleMessage}
	}
	c.put(key, apply(text, cuts), 1<<ruleMessage, to)
}

// remember reads what users and models wrote, before any of it is removed.
func (w *walker) remember(td ptrace.Traces) {
	if !w.redactor.set.Messages {
		return
	}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			if emitter.IsDatabaseScope(ss.Scope().Name()) {
				continue
			}
			for _, span := range ss.Spans().All() {
				w.rememberSpan(span)
			}
		}
	}
}

func (w *walker) rememberSpan(span ptrace.Span) {
	if span.TraceID().IsEmpty() {
		return
	}
	for key, v := range span.Attributes().All() {
		if rule := w.cache.rule(w.redactor, key); rule.class == content && rule.action == "" {
			w.eachWritten(v.AsString(), func(text string) { w.redactor.set.Written.Add(span.TraceID(), text) })
		}
	}
}

// eachWritten calls do with the strings of JSON that are not errors, IDs or the like, or with a text that is not JSON.
func (w *walker) eachWritten(text string, do func(string)) {
	const longest = 64 << 10
	if !isStructuredText(text) {
		do(text)
		return
	}
	text = text[:min(len(text), longest)]
	written := true // by the last key
	for at := strings.IndexByte(text, '"'); at >= 0; {
		end := quoteEnd(text, at+1, '"', 0)
		value := text[at+1 : end]
		next := strings.IndexByte(text[min(end+1, len(text)):], '"')
		if rest := strings.TrimLeft(text[min(end+1, len(text)):], " "); strings.HasPrefix(rest, ":") {
			class := w.cache.rule(w.redactor, value).class
			written = class != message && class != identity && class != user && class != safe
		} else if written {
			do(unquoted(value))
		}
		if next < 0 {
			break
		}
		at = end + 1 + next
	}
}

// unquoted returns the beginning of a string of JSON without its escapes.
func unquoted(value string) string {
	const longest = 4 << 10
	value = value[:min(len(value), longest)]
	if strings.IndexByte(value, '\\') < 0 {
		return value
	}
	var text string
	if json.Unmarshal([]byte(`"`+strings.TrimRight(value, `\`)+`"`), &text) != nil {
		return value
	}
	return text
}
