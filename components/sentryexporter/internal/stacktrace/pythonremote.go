// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import "strings"

// mergeRemote joins the traceback of another process, which multiprocessing and concurrent.futures quote in the
// cause, with the exception that it belongs to.
func mergeRemote(exc *Exception) *Exception {
	for e := exc; e.Cause != nil; e = e.Cause {
		quoted := e.Cause
		if !strings.HasSuffix(quoted.Type, remoteType) || len(quoted.Frames) > 0 || quoted.Cause != nil {
			continue
		}
		inner, before, ok := readPython(lines(strings.Trim(quoted.Message, "\n\"")))
		if !ok {
			continue
		}
		inner.note(append([]string{quoted.Type, before}, quoted.Notes...))
		if inner.Type != e.Type || inner.Message != e.Message {
			e.Cause = inner
			continue
		}
		e.Frames = append(e.Frames, inner.Frames...)
		e.Notes = append(e.Notes, inner.Notes...)
		e.Members = append(e.Members, inner.Members...)
		e.Cause, e.Relation = inner.Cause, inner.Relation
		if e.Cause == nil {
			break
		}
	}
	return exc
}
