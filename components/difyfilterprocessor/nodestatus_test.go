// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func ended(kind string, more kv) spanSpec {
	span := node(8, 5, kind)
	span.ok = true
	span.kv["gen_ai.span.kind"] = "TASK"
	maps.Copy(span.kv, more)
	return span
}

func TestFailedNodes(t *testing.T) {
	start := startNode(7, 5, runA, appA, workflowA)
	for name, tt := range map[string]struct {
		batches [][]spanSpec
		failed  bool // the node with ID 8
	}{
		"without output":         {[][]spanSpec{{start, ended("code", kv{"input.value": "{}"})}}, true},
		"HTTP has no input":      {[][]spanSpec{{start, ended("http-request", nil)}}, true},
		"HTTP in a later batch":  {[][]spanSpec{{start}, {ended("http-request", nil)}}, true},
		"with output":            {[][]spanSpec{{start, ended("llm", kv{"output.value": "{}"})}}, false},
		"no content is exported": {[][]spanSpec{{ended("http-request", nil)}}, false},
		"human input":            {[][]spanSpec{{start, ended("human-input", nil)}}, false},
		"assigner":               {[][]spanSpec{{start, ended("assigner", kv{"input.value": "{}"})}}, false},
		"before Dify 1.12": {[][]spanSpec{{start, {
			id: 8, parent: 5, scope: scopeNodes, name: "x", kind: internalSpan, ok: true,
			kv: kv{"node.id": "n", "node.type": "code"},
		}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			var td ptrace.Traces
			for _, spans := range tt.batches {
				td = b.traces(t, batchOf(difyProcess(1), spans...))
			}
			for pass, td := range []ptrace.Traces{td, newHarness(t).traces(t, copyTraces(td))} {
				span := byID(td, 8)
				assert.Equal(t, tt.failed, span.Status().Code() == ptrace.StatusCodeError, pass)
				assert.Equal(t, tt.failed, attrs.Text(span.Attributes(), attrs.ErrorType) == "_OTHER", pass)
				assert.Equal(t, tt.failed, attrs.Text(span.Attributes(), difysemconv.AttrOriginalStatus) == "OK", pass)
			}
		})
	}
}
