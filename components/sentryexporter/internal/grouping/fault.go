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
	f := Fault{
		Exception: &shown, Wrapper: exc.Type, Fingerprint: d.fingerprint, Text: textOf(d), PassedOn: true,
		Key: append([]string{"text", d.class, folded(d.message)}, place(d.frames)...),
	}
	if kind := d.fingerprint[0]; kind == "provider" || kind == "plugin" {
		f.Key = d.fingerprint // each retry has a request ID of its own in its text
	}
	return f
}

func textOf(d description) string {
	switch {
	case len(d.frames) > 0: // the message alone may be as short as the key of a KeyError
		return folded(strings.Join(append([]string{d.class, d.message}, place(d.frames)...), " "))
	case d.message == "":
		return d.class
	default:
		return folded(d.message)
	}
}

// keyOf identifies an exception within its trace: by type, message and innermost frame. If it only passes the failure
// on, it has the text only, as a failed run.
func keyOf(exc *stacktrace.Exception, f Fault) []string {
	if f.PassedOn {
		return []string{"text", "", f.Text}
	}
	return append([]string{"exception", exc.Type, folded(exc.Message)}, place(exc.Frames)...)
}

// Place identifies where an exception was raised.
func Place(exc *stacktrace.Exception) []string { return place(exc.Frames) }

// place identifies the innermost frame.
func place(frames []stacktrace.Frame) []string {
	if len(frames) == 0 {
		return nil
	}
	f := frames[len(frames)-1]
	return []string{f.File, f.Function, strconv.Itoa(f.Line)}
}

// folded returns a text with single blanks only: line breaks are lost on some of the ways.
func folded(text string) string { return strings.Join(strings.Fields(text), " ") }
