// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"regexp"
	"strings"
)

var (
	// geckoCall is `f@URL:LINE:COLUMN`; the URL may go on with ` line 5 > eval`, where it was evaluated.
	geckoCall = regexp.MustCompile(`^([^\s@][^@]*|)@((?:[a-z][a-z0-9+.-]*:/|/)[^@\s]*|debugger eval code)((?: line \d+ > (?:eval|Function))*):(\d+)(?::(\d+))?$`)
	// geckoBare is how Safari shows a function without a name.
	geckoBare   = regexp.MustCompile(`^((?:https?|file|capacitor|webpack(?:-internal)?)://\S*?):(\d+):(\d+)$`)
	geckoNative = regexp.MustCompile(`^(?:(\S.*)@)?\[native code\]$`)
	geckoLine   = regexp.MustCompile(` line (\d+) > `)
)

// readGecko reads `stack` of Firefox and Safari, which has neither type nor message.
func readGecko(all []string) (exc *Exception, before string, ok bool) {
	first, last := -1, -1
	for i, l := range all {
		if _, isFrame := parseGeckoFrame(l); isFrame {
			last = i
			if first < 0 {
				first = i
			}
		}
	}
	if first < 0 || first == last && strings.TrimSpace(all[first]) == "[native code]" {
		return nil, "", false
	}
	exc = &Exception{Language: JavaScript}
	head := all[:first]
	exc.Type, exc.Message = v8TypeAndMessage(head)
	var frames []Frame
	for _, l := range all[first : last+1] {
		if frame, isFrame := parseGeckoFrame(l); isFrame {
			frames = append(frames, frame)
		} else {
			exc.note([]string{l})
		}
	}
	exc.note(all[last+1:])
	exc.Frames = reversed(frames)
	return exc, "", true
}

func parseGeckoFrame(line string) (Frame, bool) {
	line = strings.TrimSpace(line)
	if m := geckoNative.FindStringSubmatch(line); m != nil {
		return Frame{File: "[native code]", Function: m[1]}, true
	}
	if m := geckoBare.FindStringSubmatch(line); m != nil {
		return Frame{File: m[1], Line: number(m[2]), Column: number(m[3])}, true
	}
	m := geckoCall.FindStringSubmatch(line)
	if m == nil {
		return Frame{}, false
	}
	frame := Frame{File: m[2], Line: number(m[4]), Column: number(m[5]), Function: strings.TrimPrefix(m[1], "async*")}
	if at := geckoLine.FindStringSubmatch(m[3]); at != nil { // the place of the eval, not the one within it
		frame.Line, frame.Column, frame.Note = number(at[1]), 0, strings.TrimSpace(m[3])
	}
	return frame, true
}
