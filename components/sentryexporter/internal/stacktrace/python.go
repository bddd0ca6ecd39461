// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"regexp"
	"strconv"
	"strings"
)

const (
	pythonHeader      = "Traceback (most recent call last):"
	pythonGroupHeader = "Exception Group Traceback (most recent call last):"
	pythonGroupTop    = "+ " + pythonGroupHeader

	// remoteType ends the class names under which a traceback of another process is quoted.
	remoteType = "RemoteTraceback"
	quote      = `"""`
)

// pythonJoins are the lines between two exceptions of a chain, each with an empty line before and after.
var pythonJoins = map[string]string{
	"The above exception was the direct cause of the following exception:": RelationCause,
	"During handling of the above exception, another exception occurred:":  RelationContext,
}

var (
	pythonType   = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_.<>]*$`)
	groupRule    = regexp.MustCompile(`^\+-{10,}(?: (?:\d+|\.{3}) -{10,})?$`)
	pythonMarker = regexp.MustCompile(`^[ ~^]*[~^][ ~^]*$`)
)

// readPython reads what Python's traceback module prints, in all versions since 3.8: chains, exception groups, markers,
// repeated lines, frames without source.
func readPython(all []string) (exc *Exception, before string, ok bool) {
	all = ownHeader(all)
	start := pythonStart(all)
	if start < 0 {
		return nil, "", false
	}
	p := &pythonParser{lines: all, i: start}
	exc = p.chain(topLevel)
	if exc == nil {
		return nil, "", false
	}
	exc.note(all[p.i:]) // inconsistent margins
	return mergeRemote(exc), strings.TrimSpace(strings.Join(all[:start], "\n")), true
}

// pythonStart returns the line at which the first exception begins. An exception that was never raised has no header:
// the text then begins with its type.
func pythonStart(all []string) int {
	header := -1
	for i, l := range all {
		if isPythonHeader(l) {
			header = i
			break
		}
	}
	for i := range max(header, 0) {
		if _, ok := pythonJoins[all[i]]; ok || strings.HasSuffix(all[i], remoteType+": ") ||
			strings.HasSuffix(all[i], remoteType+":") {
			return 0
		}
	}
	return header
}

func isPythonHeader(line string) bool {
	return line == pythonHeader || strings.TrimLeft(line, " ") == pythonGroupTop
}

// ownHeader moves a header that follows other text to a line of its own.
func ownHeader(all []string) []string {
	for i, l := range all {
		for _, header := range []string{"  " + pythonGroupTop, pythonHeader} {
			if prefix, ok := strings.CutSuffix(l, header); ok {
				if prefix == "" {
					return all
				}
				return append(append(append([]string{}, all[:i]...), strings.TrimRight(prefix, " "), header), all[i+1:]...)
			}
		}
	}
	return all
}

// topLevel is the level of lines without a margin. Any other level is the column of the margin's bar.
const topLevel = -1

type pythonParser struct {
	lines []string
	i     int
}

// content returns the current line without its margin; false if it does not belong to the level.
func (p *pythonParser) content(level int) (string, bool) {
	return contentAt(p.lines, p.i, level)
}

func contentAt(all []string, i, level int) (string, bool) {
	if i >= len(all) {
		return "", false
	}
	if level == topLevel {
		return all[i], true
	}
	rest, ok := cutIndent(all[i], level)
	if !ok {
		return "", false
	}
	if rest, ok = strings.CutPrefix(rest, "|"); !ok {
		return "", false
	}
	return strings.TrimPrefix(rest, " "), true
}

func cutIndent(line string, n int) (string, bool) {
	if len(line) < n || strings.Trim(line[:n], " ") != "" {
		return "", false
	}
	return line[n:], true
}

// chain reads the exceptions of a chain on one level and returns the last.
func (p *pythonParser) chain(level int) *Exception {
	var last *Exception
	relation := ""
	for {
		text, ok := p.content(level)
		if !ok {
			return last
		}
		if strings.TrimSpace(text) == "" {
			p.i++
			continue
		}
		if r, isJoin := pythonJoins[text]; isJoin && last != nil {
			relation = r
			p.i++
			continue
		}
		exc := p.exception(level, text)
		if last != nil {
			exc.Cause, exc.Relation = last, relation
			if relation == "" { // text that follows without a joining line
				exc.Relation = RelationContext
			}
		}
		last, relation = exc, ""
	}
}

func (p *pythonParser) exception(level int, text string) *Exception {
	exc := &Exception{Language: Python}
	switch {
	case text == pythonHeader || text == pythonGroupHeader:
		p.i++
		p.frames(level, exc)
	case level == topLevel && strings.TrimLeft(text, " ") == pythonGroupTop:
		level = strings.Index(text, "+")
		p.i++
		p.frames(level, exc)
	}
	p.final(level, exc)
	if p.opens(level) {
		p.members(level, exc)
	}
	return exc
}

func (p *pythonParser) frames(level int, exc *Exception) {
	for {
		text, ok := p.content(level)
		switch {
		case !ok:
			return
		case strings.HasPrefix(text, `  File "`):
			frame, isCall, valid := parsePythonFrame(text)
			if !valid {
				return
			}
			p.i++
			p.source(level, &frame)
			if isCall {
				exc.Frames = append(exc.Frames, frame)
			} else { // the position of a SyntaxError is not a call
				exc.Notes = append(exc.Notes, strings.TrimSpace(text+"\n    "+frame.Source))
			}
		case strings.HasPrefix(text, "  [Previous line repeated ") && len(exc.Frames) > 0:
			exc.Frames[len(exc.Frames)-1].Note = strings.TrimSpace(text)
			p.i++
		default:
			return
		}
	}
}

// source reads the lines of code below a frame. Lines that only mark a position are dropped.
func (p *pythonParser) source(level int, frame *Frame) {
	for {
		text, ok := p.content(level)
		if !ok || !strings.HasPrefix(text, "    ") {
			return
		}
		p.i++
		code := text[4:]
		switch {
		case pythonMarker.MatchString(code):
		case frame.Source == "":
			frame.Source = code
		default:
			frame.More = append(frame.More, code)
		}
	}
}

// maxLine bounds line numbers: a larger one is not a position.
const maxLine = 1 << 31

// parsePythonFrame reads `  File "PATH", line N[, in FUNC]`. The path may contain quotes and commas, so it ends at
// the last `", line `.
func parsePythonFrame(text string) (frame Frame, isCall, valid bool) {
	rest := strings.TrimPrefix(text, `  File "`)
	at := strings.LastIndex(rest, `", line `)
	if at < 0 {
		return Frame{}, false, false
	}
	number, function, isCall := strings.Cut(rest[at+len(`", line `):], ", in ")
	line, err := strconv.Atoi(number)
	if err != nil || line < 0 || line > maxLine { // CPython writes `line None` where it lost the position
		line = 0
	}
	return Frame{File: rest[:at], Line: line, Function: function}, isCall, true
}

// final reads type and message. The message continues to the next joining line, a change of margin or the end.
func (p *pythonParser) final(level int, exc *Exception) {
	var text []string
	quoted := false // joining lines within a quoted traceback belong to it
	for {
		line, ok := p.content(level)
		if !ok || !quoted && p.joinFollows(level, line) {
			break
		}
		if line == quote {
			quoted = !quoted && len(text) > 0 && strings.Contains(text[0], remoteType)
		}
		text = append(text, line)
		p.i++
	}
	whole := strings.TrimRight(strings.Join(text, "\n"), "\n ")
	if head, message, found := strings.Cut(whole, ":"); found && pythonType.MatchString(head) {
		exc.Type, exc.Message = head, strings.TrimPrefix(message, " ")
		return
	}
	head, notes, _ := strings.Cut(whole, "\n")
	if pythonType.MatchString(head) {
		exc.Type, exc.Message = head, notes
		return
	}
	exc.Message = whole
}

// joinFollows reports whether the current line is empty and precedes a joining line.
func (p *pythonParser) joinFollows(level int, line string) bool {
	if strings.TrimSpace(line) != "" {
		return false
	}
	next, ok := contentAt(p.lines, p.i+1, level)
	if !ok && level != topLevel { // a group on the top level is joined outside its margin
		next, ok = contentAt(p.lines, p.i+1, topLevel)
	}
	if _, isJoin := pythonJoins[next]; !ok || !isJoin {
		return false
	}
	after, ok := contentAt(p.lines, p.i+2, level)
	return ok && strings.TrimSpace(after) == ""
}
