// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor"
)

// session redacts an input and collects what changes.
type session struct {
	redactor *difyfilterprocessor.Redactor
	rules    []rule // since the last item
	changes  []change
}

// redact returns the redacted input.
func (s *session) redact(text []byte) ([]byte, error) {
	if signalOf(firstLine(text)) == "" && signalOf(text) == "" {
		return s.text(text), nil
	}
	if signal := signalOf(text); signal != "" {
		return s.request(signal, text)
	}
	var out []byte
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		after, err := s.request(signalOf(line), line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		out = append(out, after...)
	}
	return out, nil
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return line
}

const (
	traces  = "resourceSpans"
	metrics = "resourceMetrics"
	logs    = "resourceLogs"
)

// signalOf returns the key of an OTLP request in JSON, or an empty string for anything else.
func signalOf(text []byte) string {
	var keys map[string]json.RawMessage
	if json.Unmarshal(text, &keys) != nil {
		return ""
	}
	for _, signal := range [...]string{traces, metrics, logs} {
		if _, ok := keys[signal]; ok {
			return signal
		}
	}
	return ""
}

// text redacts a text as the body of a log record.
func (s *session) text(text []byte) []byte {
	ld := plog.NewLogs()
	body := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body()
	body.SetStr(string(text))
	s.redactor.Logs(ld)
	after := body.Str()
	s.changes = append(s.changes, compareTexts(string(text), after, s.rules)...)
	return []byte(after)
}

// request redacts an OTLP request, item by item, so that the rules of each are known.
func (s *session) request(signal string, text []byte) ([]byte, error) {
	out, err := s.whole(signal, text, true)
	if err != nil {
		return nil, err
	}
	items, err := split(signal, text)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{} // changes of resources and scopes, which each of their items repeats
	for _, one := range items {
		s.rules = nil
		before, err := s.whole(signal, one.text, false)
		if err != nil {
			return nil, err
		}
		after, err := s.whole(signal, one.text, true)
		if err != nil {
			return nil, err
		}
		found, err := compareItems(signal, one, before, after, s.rules)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			if id := c.Path + "\x00" + c.Before; !known[id] {
				known[id] = true
				s.changes = append(s.changes, c)
			}
		}
	}
	return append(out, '\n'), nil
}

// whole returns a request as its marshaler writes it, redacted or not. Redacting all items together before each alone
// lets error texts lose what other spans of their trace have, as in the processor.
func (s *session) whole(signal string, text []byte, redacts bool) ([]byte, error) {
	switch signal {
	case traces:
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
		if err != nil {
			return nil, notOTLP(err)
		}
		if redacts {
			s.redactor.Traces(td)
		}
		return (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	case metrics:
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
		if err != nil {
			return nil, notOTLP(err)
		}
		if redacts {
			s.redactor.Metrics(md)
		}
		return (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	case logs:
		ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return nil, notOTLP(err)
		}
		if redacts {
			s.redactor.Logs(ld)
		}
		return (&plog.JSONMarshaler{}).MarshalLogs(ld)
	}
	return nil, fmt.Errorf("no OTLP request: it has none of the keys %s, %s and %s", traces, metrics, logs)
}

func notOTLP(err error) error { return fmt.Errorf("no valid OTLP in JSON: %w", err) }
