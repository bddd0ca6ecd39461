// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package grouping decides what an error is: the exception that its event shows, and the fingerprint by which Sentry
// groups it, where Sentry's own rule does not decide as a person would.
package grouping

import (
	"cmp"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// RunFailure is the type of an exception of which only a failed run's error text is known.
const RunFailure = "WorkflowRunFailed"

// vagueClasses do not say what went wrong.
var vagueClasses = map[string]bool{
	"RuntimeError": true, "Exception": true, "Error": true, "RuntimeException": true, RunFailure: true, "": true,
}

// Fault is what an exception stands for. Dify's engine raises whatever failed in a node as a RuntimeError, or as an
// error of the run, with the text of the failure: a traceback, the error of a plugin or of a model provider.
type Fault struct {
	// Exception is what the event shows. It differs from the recorded exception if Wrapper is set.
	Exception *stacktrace.Exception
	// Wrapper is the class of the recorded exception, if its text describes another one.
	Wrapper string
	// Fingerprint is nil where Sentry's own rule is right. It depends on nothing but the exception, so that a failure is
	// one issue on every route, in every task, and however its telemetry is divided into batches.
	Fingerprint []string
	// Key identifies the failure within its trace: it is the same for all recordings of it.
	Key []string
	// Text is the text of the failure, by which recordings of different classes are recognized as the same.
	Text string
	// PassedOn means that the exception only passes on what failed elsewhere: the engine raised it, or nothing but its
	// text is known.
	PassedOn bool
}

// Of returns what an exception stands for. A change of these rules creates new issues for old errors.
func Of(exc *stacktrace.Exception) Fault {
	_, class := exc.Class()
	if generic := vagueClasses[class]; generic || mayWrap(class) {
		if d, ok := describe(exc.Message); ok && (generic || d.certain) {
			return wrapped(exc, d)
		}
	}
	f := Fault{Exception: exc, Text: folded(unwrap(exc.Message)), PassedOn: passesOn(exc, class)}
	f.Key = keyOf(exc, f)
	if vagueClasses[class] {
		f.Fingerprint = vagueFingerprint(exc, class)
		return f
	}
	if IsInfrastructure(exc.Type) || !exc.HasFrames() && exc.Type+exc.Message != "" {
		f.Fingerprint = []string{cmp.Or(class, "exception"), Stable(exc.Message)}
	}
	return f
}

// mayWrap reports whether an exception of a class may have the text of another failure, although its class says
// something: an error of a plugin, or the ValueError with which Dify ends a blocking request.
func mayWrap(class string) bool { return class == "ValueError" || strings.HasPrefix(class, "Plugin") }

// vagueFingerprint groups an exception whose class says nothing, and whose text is not known: by its text, if the
// engine raised it, or nothing but its text is known.
func vagueFingerprint(exc *stacktrace.Exception, class string) []string {
	switch {
	case exc.Message == "" && !exc.HasFrames() && class == "": // only a log line: Sentry groups by its template
		return nil
	case passesOn(exc, class):
		return []string{"error", Stable(unwrap(exc.Message))}
	default:
		return nil
	}
}

func passesOn(exc *stacktrace.Exception, class string) bool {
	innermost, raised := exc.Innermost()
	return vagueClasses[class] && (!exc.HasFrames() || raised && raisesForOthers(innermost))
}

// raisesForOthers reports whether a frame raises what failed elsewhere: a library, or the workflow engine, which was a
// part of the application up to Dify 1.9.
func raisesForOthers(f stacktrace.Frame) bool {
	return f.InApp == nil || !*f.InApp || strings.Contains(f.Module, "graph_engine") ||
		strings.HasSuffix(f.Module, "workflow_entry")
}

// infrastructure are the packages whose errors are the same failure wherever they are noticed.
var infrastructure = []string{"sqlalchemy.", "psycopg2.", "psycopg.", "pymysql.", "redis.", "kombu.", "amqp."}

// IsInfrastructure reports whether a class is of a database, Redis or a message broker.
func IsInfrastructure(typ string) bool {
	for _, prefix := range infrastructure {
		if strings.HasPrefix(typ, prefix) {
			return true
		}
	}
	return false
}

// TimeLimit returns the fingerprint of an exceeded time limit of a Celery task, as Sentry's SDK sets it; nil for other
// exceptions.
func TimeLimit(exc *stacktrace.Exception, task string) []string {
	if _, class := exc.Class(); class != "SoftTimeLimitExceeded" || task == "" {
		return nil
	}
	return []string{"celery", "SoftTimeLimitExceeded", task}
}
