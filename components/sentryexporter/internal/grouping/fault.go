// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// wrapped returns the fault that the text of an exception describes. The frames of the text follow those of the
// exception: that is the order of the calls.
func wrapped(exc *stacktrace.Exception, d description) Fault {
	shown := *exc
	shown.Type, shown.Message = d.class, d.message
	shown.Frames = slices.Concat(exc.Frames, d.frames)
	if len(exc.Frames) == 0 {
		shown.Language = d.language
	}
	if d.class == "" {
		shown.Type = exc.Type
	}
	return Fault{
		Exception: &shown, Wrapper: exc.Type, Fingerprint: d.fingerprint,
		key: append([]string{"text", strings.TrimSpace(d.class), strings.TrimSpace(d.message)}, place(d.frames)...),
	}
}

// keyOf identifies an exception within its trace, by type, message and innermost frame. A class that says nothing is
// not part of it: a failed run has the text only.
func keyOf(exc *stacktrace.Exception) []string {
	text := strings.TrimSpace(exc.Message)
	innermost, raised := exc.Innermost()
	if vagueClasses[exc.Type] && (!raised || raisesForOthers(innermost)) {
		return []string{"text", "", unwrap(text)}
	}
	return append([]string{"exception", exc.Type, text}, place(exc.Frames)...)
}

// place identifies the innermost frame.
func place(frames []stacktrace.Frame) []string {
	if len(frames) == 0 {
		return nil
	}
	f := frames[len(frames)-1]
	return []string{f.File, f.Function, strconv.Itoa(f.Line)}
}

// Key identifies the failure within its trace: it is the same for all recordings of it.
func (f Fault) Key() []string { return f.key }

// Text is the text of the failure by which an exception and a failed run are recognized as the same.
func (f Fault) Text() string { return strings.Join(f.key, "\n") }
