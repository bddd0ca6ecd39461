// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"compress/gzip"
	"os"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// recorded picks from the recordings of a real Dify the first trace of each kind, and the last metrics of each process.
// Its version is main of August 2026, between 1.16.1 and 1.17.0.
const recorded = "recorded"

func recordedTraces() (ptrace.Traces, error) {
	var all []ptrace.Traces
	err := eachLine("traces.jsonl.gz", func(line []byte) error {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
		all = append(all, td)
		return err
	})
	wanted := firstOfEachKind(all)
	out := ptrace.NewTraces()
	for _, td := range all {
		td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
			rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
				ss.Spans().RemoveIf(func(span ptrace.Span) bool { return !wanted[span.TraceID()] })
				return ss.Spans().Len() == 0
			})
			return rs.ScopeSpans().Len() == 0
		})
		td.ResourceSpans().MoveAndAppendTo(out.ResourceSpans())
	}
	return out, err
}

// firstOfEachKind returns the traces to keep. A kind is the name and the status of the first span.
func firstOfEachKind(all []ptrace.Traces) map[pcommon.TraceID]bool {
	type kind struct {
		scope, name string
		status      ptrace.StatusCode
	}
	seen, wanted := map[kind]bool{}, map[pcommon.TraceID]bool{}
	for _, td := range all {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					k := kind{ss.Scope().Name(), span.Name(), span.Status().Code()}
					if span.ParentSpanID().IsEmpty() && !seen[k] {
						seen[k], wanted[span.TraceID()] = true, true
					}
				}
			}
		}
	}
	return wanted
}

func recordedMetrics() (pmetric.Metrics, error) {
	last := map[int64]int{}
	out := pmetric.NewMetrics()
	err := eachLine("metrics.jsonl.gz", func(line []byte) error {
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line)
		if err != nil {
			return err
		}
		for _, rm := range md.ResourceMetrics().All() {
			pid, _ := rm.Resource().Attributes().Get("process.pid")
			if at, known := last[pid.Int()]; known {
				rm.CopyTo(out.ResourceMetrics().At(at))
				continue
			}
			last[pid.Int()] = out.ResourceMetrics().Len()
			rm.CopyTo(out.ResourceMetrics().AppendEmpty())
		}
		return nil
	})
	return out, err
}

func eachLine(name string, do func([]byte) error) error {
	file, err := os.Open(repo.Path("tests", "testdata", "recordings", name))
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		if err := do(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}
