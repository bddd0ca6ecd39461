// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"slices"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/grouping"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// atExit are parts of the errors that Python raises in what still runs when it ends, such as an export of telemetry.
var atExit = []string{"at interpreter shutdown", "after interpreter shutdown"}

// isNoise recognizes the default error of the Langfuse client, which Dify's own Sentry hook drops, and the errors of a
// process that ends, when Sentry's SDK has ended.
func isNoise(texts ...string) bool {
	for _, t := range texts {
		if strings.Contains(t, difysemconv.NoiseParseErrorText) || strings.Contains(t, difysemconv.NoiseParseError) ||
			slices.ContainsFunc(atExit, func(part string) bool { return strings.Contains(t, part) }) {
			return true
		}
	}
	return false
}

// tracingTask is a part of the names of the tasks that send traces to Langfuse, LangSmith, Opik, Weave, Phoenix and
// others.
const tracingTask = "ops_trace"

// tracingModules are the modules of those tasks, of Dify's providers, and of their clients.
var tracingModules = []string{"core.ops.", "tasks.ops_trace_task", "dify_trace_"}

// isTracing recognizes the failure of a tracing provider. A database or a broker that fails in its task is not one.
func isTracing(exc *stacktrace.Exception, task string) bool {
	if grouping.IsInfrastructure(exc.Type) {
		return false
	}
	if strings.Contains(task, tracingTask) {
		return true
	}
	for e := exc; e != nil; e = e.Cause {
		for _, f := range e.Frames {
			if slices.ContainsFunc(tracingModules, func(m string) bool { return strings.HasPrefix(f.Module, m) }) {
				return true
			}
		}
	}
	return false
}

// ignores reports whether an exception is discarded, and why.
func (c *Converter) ignores(r recorded, exc *stacktrace.Exception, task string) (why item.Reason, ignored bool) {
	switch {
	case isNoise(r.message, r.logMessage, r.typ, exc.Message):
		return item.ReasonEventFilter, true
	case isTracing(exc, task):
		return item.ReasonTracing, true
	case c.ignored.Has(exc.Type):
		return item.ReasonIgnored, true
	default:
		return "", false
	}
}
