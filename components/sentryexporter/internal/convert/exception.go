// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// exceptionOf parses the stack trace of a recording. What cannot be parsed is kept in extra.
func exceptionOf(r recorded, extra map[string]string) *stacktrace.Exception {
	exc, before, ok := stacktrace.Parse(r.stack)
	if !ok {
		protocol.Extra(extra, "exception.stacktrace", r.stack)
		return &stacktrace.Exception{Type: r.typ, Message: r.message}
	}
	name(exc, r)
	protocol.Extra(extra, "exception.before", before)
	protocol.Extra(extra, "exception.notes", strings.Join(exc.AllNotes(), "\n"))
	return exc
}

// name decides on type and message where stack trace and attributes differ. Python's stack trace has both in full,
// unless it is truncated: attributes may lack the module, the notes and the quotes of a KeyError, and they differ
// between ways of recording, which would make two events of one exception. For other languages, the attributes are
// more reliable.
func name(exc *stacktrace.Exception, r recorded) {
	_, written := exc.Class()
	if _, class := stacktrace.SplitType(r.typ); exc.Language == stacktrace.Python && class == written {
		if strings.HasPrefix(r.message, exc.Message) {
			exc.Message = r.message
		}
		return
	}
	exc.Type, exc.Message = cmp.Or(r.typ, exc.Type), cmp.Or(r.message, exc.Message)
}

// uncaughtBy are the instrumentations that record an exception only if the application did not catch it.
var uncaughtBy = map[string]string{
	"opentelemetry.instrumentation.flask":  "flask",
	"opentelemetry.instrumentation.celery": "celery",
}

// mechanismOf returns how an exception was caught, in the terms of the integrations of Sentry's SDK. Flask and Celery
// log uncaught exceptions in texts of their own.
func mechanismOf(r recorded) protocol.Mechanism {
	handled := true
	m := protocol.Mechanism{Type: "opentelemetry", Handled: &handled}
	switch {
	case r.logged && strings.HasPrefix(r.logMessage, "Exception on /"):
		m.Type, handled = "flask", false
	case r.logger == "celery.app.trace" && strings.Contains(r.logMessage, " raised unexpected: "):
		m.Type, handled = "celery", false
	case r.logged:
		m.Type = "logging"
	case uncaughtBy[r.scope] != "":
		m.Type, handled = uncaughtBy[r.scope], false
	}
	return m
}

// platformOf returns the platform whose grouping rules apply to an exception: that of its stack trace, which may have
// come through a process of another language. Sentry has two platforms for JavaScript.
func platformOf(exc *stacktrace.Exception, resource string) string {
	switch {
	case exc.Language == "", exc.Language == stacktrace.JavaScript && resource == "node":
		return resource
	default:
		return string(exc.Language)
	}
}

// chainBuilder lists exceptions as Sentry's SDKs do: the root cause first, the one that was caught last. If there is
// a group or a suppressed exception among them, each has the ID of the exception that it belongs to.
type chainBuilder struct {
	mechanism protocol.Mechanism
	tree      bool
	out       []*protocol.Exception
}

// maxExceptions bounds the exceptions of one event; the oldest causes and last members beyond it are left out.
const maxExceptions = 100

func payloadExceptions(exc *stacktrace.Exception, mechanism protocol.Mechanism) []*protocol.Exception {
	b := &chainBuilder{mechanism: mechanism, tree: branches(exc)}
	b.add(exc, 0, "", "")
	slices.Reverse(b.out)
	return b.out
}

func branches(exc *stacktrace.Exception) bool {
	for e := exc; e != nil; e = e.Cause {
		if len(e.Members) > 0 || len(e.Suppressed) > 0 {
			return true
		}
	}
	return false
}

const (
	mechanismChained    = "chained"
	mechanismSuppressed = "suppressed"
)

// add assigns IDs depth first, a cause before the members.
func (b *chainBuilder) add(exc *stacktrace.Exception, parent int, mechanism, source string) {
	for exc != nil && len(b.out) < maxExceptions {
		id := len(b.out)
		b.out = append(b.out, payloadException(exc, b.mechanismOf(exc, id, parent, mechanism, source)))
		if !b.tree {
			exc = exc.Cause
			continue
		}
		b.add(exc.Cause, id, mechanismChained, exc.Relation)
		for i, member := range exc.Members {
			b.add(member, id, mechanismChained, memberSource(exc)+"["+strconv.Itoa(i)+"]")
		}
		for _, e := range exc.Suppressed {
			b.add(e, id, mechanismSuppressed, "")
		}
		return
	}
}

// memberSource returns the name of the attribute that contains a group's members.
func memberSource(exc *stacktrace.Exception) string {
	if exc.Language == stacktrace.JavaScript {
		return "errors"
	}
	return "exceptions"
}

func (b *chainBuilder) mechanismOf(
	exc *stacktrace.Exception,
	id, parent int,
	mechanism, source string,
) *protocol.Mechanism {
	m := b.mechanism
	if !b.tree {
		return &m
	}
	m.ExceptionID = &id
	m.IsExceptionGroup = len(exc.Members) > 0
	if id > 0 {
		m.Type, m.ParentID, m.Source = mechanism, &parent, source
	}
	return &m
}

func payloadException(exc *stacktrace.Exception, mechanism *protocol.Mechanism) *protocol.Exception {
	module, class := exc.Class()
	out := &protocol.Exception{
		Type: protocol.Line(class, protocol.MaxType), Module: protocol.Line(module, protocol.MaxType),
		Value: protocol.Text(valueOf(exc), protocol.MaxValue), Mechanism: mechanism,
	}
	if out.Type == "" && out.Value == "" { // one of them is required
		out.Type = "Exception"
	}
	var frames []protocol.Frame
	for _, f := range exc.Frames {
		if !strings.HasPrefix(f.Module, sdkPackage) {
			frames = append(frames, payloadFrame(f))
		}
	}
	if len(frames) > 0 {
		out.Stacktrace = &protocol.Stacktrace{Frames: protocol.Frames(frames)}
	}
	return out
}

// sdkPackage is the package of Sentry's SDK, which wraps calls and removes its own frames: a failure is the same with
// and without it.
const sdkPackage = "sentry_sdk."

// memberCount is what Python appends to a group's message.
var memberCount = regexp.MustCompile(` \(\d+ sub-exceptions?\)$`)

// valueOf returns the message as Sentry's SDK reports it.
func valueOf(exc *stacktrace.Exception) string {
	if exc.Language == stacktrace.Python && len(exc.Members) > 0 {
		return memberCount.ReplaceAllString(exc.Message, "")
	}
	return exc.Message
}

func payloadFrame(f stacktrace.Frame) protocol.Frame {
	out := protocol.Frame{
		Filename: protocol.Text(f.Filename, protocol.MaxPath), AbsPath: protocol.Text(f.File, protocol.MaxPath),
		Module: protocol.Text(f.Module, protocol.MaxPath), Package: protocol.Text(f.Package, protocol.MaxPath),
		Function: protocol.Text(f.Function, protocol.MaxFunction), Lineno: f.Line, Colno: f.Column,
		ContextLine: protocol.Text(f.Source, protocol.MaxSource), InApp: f.InApp,
	}
	for _, line := range f.More[:min(len(f.More), 5)] {
		out.PostContext = append(out.PostContext, protocol.Text(line, protocol.MaxSource))
	}
	if f.Note != "" {
		out.Vars = map[string]string{"note": protocol.Text(f.Note, protocol.MaxTagValue)}
	}
	return out
}
