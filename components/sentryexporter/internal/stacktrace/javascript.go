// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// v8Position ends a location: FILE:LINE:COLUMN or FILE:LINE.
	v8Position = regexp.MustCompile(`^(.+?):(\d+)(?::(\d+))?$`)
	// v8Eval is the place of the eval in `eval at f (FILE:5:7), <anonymous>:1:21`.
	v8Eval     = regexp.MustCompile(`\(([^()]+:\d+:\d+)\)`)
	v8Type     = regexp.MustCompile(`^[A-Za-z_$][\w$.]*(?: \[[A-Z0-9_]+\])?$`)
	v8Code     = regexp.MustCompile(` \[([A-Z0-9_]+)\]$`)
	v8Head     = regexp.MustCompile(`^(?:[A-Za-z_$][\w$.]*)?(?:Error|Exception|Rejection)(?: \[[A-Z0-9_]+\])?(?::|$)`)
	nodeWhere  = regexp.MustCompile(`^\S.*:\d+$`)
	nodeMarker = regexp.MustCompile(`^\s*\^+\s*$`)
)

const (
	inspectCause  = "[cause]: "
	inspectErrors = "[errors]: ["
	inspectOpen   = " {" // the properties follow
)

// readV8 reads the property `stack` of V8, which Node has, and what Node prints of an error: the line that threw it
// above, and properties, causes and members of an AggregateError below. Dify's web front end in the browser has
// Sentry's own SDK.
func readV8(all []string) (exc *Exception, before string, ok bool) {
	first := -1
	for i, l := range all {
		if _, isFrame := parseV8Frame(l); isFrame {
			first = i
			break
		}
	}
	if first < 0 {
		return nil, "", false
	}
	start := v8Start(all[:first])
	p := &v8Parser{lines: all, i: start}
	exc = p.exception(0, "")
	for p.i < len(all) {
		p.after(exc)
	}
	exc.each(func(e *Exception) { slices.Reverse(e.Frames) })
	return exc, strings.TrimSpace(strings.Join(all[:start], "\n")), true
}

// v8Start finds the line with the type among those above the first frame: Node prints the source line above it.
func v8Start(head []string) int {
	if len(head) > 2 && nodeWhere.MatchString(head[0]) {
		for i, l := range head {
			if nodeMarker.MatchString(l) {
				return nextText(head, i+1)
			}
		}
	}
	start := nextText(head, 0)
	for i := start; i < len(head); i++ {
		if v8Head.MatchString(strings.TrimPrefix(head[i], "[")) {
			return i
		}
	}
	return start
}

func nextText(all []string, from int) int {
	for from < len(all) && strings.TrimSpace(all[from]) == "" {
		from++
	}
	return from
}

type v8Parser struct {
	lines []string
	i     int
}

// exception reads head, frames and properties. labeled is the rest of a line whose label was removed.
func (p *v8Parser) exception(indent int, labeled string) *Exception {
	exc := &Exception{Language: JavaScript}
	var head []string
	opened, bare := false, false
	if labeled != "" {
		head, p.i = []string{labeled}, p.i+1
	}
	for p.i < len(p.lines) && !opened {
		if len(head) > 0 {
			if head[0], opened, bare = inspected(head[0], len(head) == 1); opened || bare {
				break
			}
		}
		if _, isFrame := parseV8Frame(p.lines[p.i]); isFrame || strings.TrimSpace(p.lines[p.i]) == "}" {
			break
		}
		head = append(head, p.lines[p.i])
		p.i++
	}
	exc.Type, exc.Message = v8TypeAndMessage(head)
	if code := v8Code.FindString(exc.Type); code != "" { // Node's code, which is not part of the class
		exc.Type = strings.TrimSuffix(exc.Type, code)
		exc.note([]string{code})
	}
	if !opened && !bare {
		opened = p.frames(exc)
	}
	if opened {
		p.properties(indent, exc)
	}
	return exc
}

// inspected removes the brackets of an error that is printed without frames, `[Error: x]`, and the brace that opens its
// properties.
func inspected(head string, alone bool) (rest string, opened, bare bool) {
	if !alone || !strings.HasPrefix(head, "[") {
		return head, false, false
	}
	if rest, opened = strings.CutSuffix(head, "] {"); opened {
		return rest[1:], true, false
	}
	if rest, bare = strings.CutSuffix(strings.TrimSuffix(head, ","), "]"); bare {
		return rest[1:], false, true
	}
	return head, false, false
}

func v8TypeAndMessage(head []string) (typ, message string) {
	text := strings.TrimRight(strings.Join(head, "\n"), "\n ")
	if before, after, found := strings.Cut(text, ":"); found && v8Type.MatchString(before) {
		return before, strings.TrimPrefix(after, " ")
	}
	if v8Type.MatchString(text) && v8Head.MatchString(text) {
		return text, ""
	}
	return "", text
}

// frames reads calls, newest first, and reports whether the last line opens the error's properties.
func (p *v8Parser) frames(exc *Exception) (opened bool) {
	for ; p.i < len(p.lines) && !opened; p.i++ {
		frame, isFrame := parseV8Frame(p.lines[p.i])
		if !isFrame {
			break
		}
		exc.Frames = append(exc.Frames, frame)
		opened = strings.HasSuffix(p.lines[p.i], inspectOpen)
	}
	return opened
}

// properties reads what util.inspect prints in braces; the closing brace is in the column where the error's line began.
func (p *v8Parser) properties(indent int, exc *Exception) {
	var notes []string
	for p.i < len(p.lines) {
		line := p.lines[p.i]
		text := strings.TrimLeft(line, " ")
		switch column := len(line) - len(text); {
		case column <= indent && strings.HasPrefix(text, "}"):
			p.i++
			exc.note(notes)
			return
		case strings.HasPrefix(text, inspectCause) && exc.Cause == nil:
			exc.Cause, exc.Relation = p.exception(column, text[len(inspectCause):]), RelationOther
		case strings.HasPrefix(text, inspectErrors):
			p.i++
			p.members(column, exc)
		default:
			notes = append(notes, text)
			p.i++
		}
	}
	exc.note(notes)
}

func (p *v8Parser) members(indent int, exc *Exception) {
	for p.i < len(p.lines) {
		line := p.lines[p.i]
		text := strings.TrimLeft(line, " ")
		column := len(line) - len(text)
		if column <= indent && strings.HasPrefix(text, "]") {
			p.i++
			return
		}
		if text == "" {
			p.i++
			continue
		}
		exc.Members = append(exc.Members, p.exception(column, text))
	}
}

// after reads what follows the error: more frames after a line of text (an older part of an asynchronous stack), or
// other text.
func (p *v8Parser) after(exc *Exception) {
	line := p.lines[p.i]
	if _, isFrame := parseV8Frame(line); isFrame {
		p.frames(exc)
		return
	}
	exc.note([]string{line})
	p.i++
}

// parseV8Frame reads `    at FUNCTION (LOCATION)` and `    at LOCATION`, with what util.inspect may append.
func parseV8Frame(line string) (Frame, bool) {
	column, text := indented(line)
	text, ok := strings.CutPrefix(text, "at ")
	if !ok || column == 0 {
		return Frame{}, false
	}
	text = strings.TrimPrefix(text, "async ")
	text = strings.TrimSuffix(strings.TrimSuffix(text, ","), inspectOpen)
	if rest, ok := strings.CutSuffix(text, ")"); ok {
		if function, where, found := strings.Cut(rest, " ("); found {
			return v8Frame(function, where)
		}
	}
	return v8Frame("", text)
}

func v8Frame(function, where string) (Frame, bool) {
	switch {
	case where == "<anonymous>", where == "native":
		return Frame{File: where, Function: function}, function != ""
	case strings.HasPrefix(where, "index ") && function != "":
		return Frame{Function: function + " (" + where + ")"}, true
	case strings.HasPrefix(where, "eval at "):
		if at := v8Eval.FindStringSubmatch(where); at != nil {
			frame, ok := v8Frame(function, at[1])
			frame.Note = where
			return frame, ok
		}
	}
	if strings.HasPrefix(where, "wasm://") {
		return Frame{File: where, Function: function}, true
	}
	m := v8Position.FindStringSubmatch(where)
	if len(m) == 0 || function == "" && strings.Contains(m[1], " ") && !strings.ContainsAny(m[1], `/\`) {
		return Frame{}, false // a line of text
	}
	return Frame{File: m[1], Line: number(m[2]), Column: number(m[3]), Function: function}, true
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
