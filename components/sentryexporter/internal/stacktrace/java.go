// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"cmp"
	"regexp"
	"strings"
)

var (
	// javaFrame is `at [loader/][module/]class.method(where)[ package]`.
	javaFrame = regexp.MustCompile(
		`^\s*at ((?:[\w.@-]*/){0,2})([^\s(/]+(?:/0x[0-9a-f]+)?)\.([^\s.(]+)\(([^()]*)\)(?:\s*(~?\[[^\]]*\]))?$`,
	)
	javaWhere = regexp.MustCompile(`^(?:Native Method|Unknown Source|<generated>|([\w$.-]+)(?::(\d+))?)$`)
	javaMore  = regexp.MustCompile(`^\s*\.{3} (\d+) (?:more|common frames omitted)$`)
	javaType  = regexp.MustCompile(`^(?:[\w$]+\.)+[A-Z][\w$]*(?::|$)|^[A-Z][\w$]*(?:Exception|Error)(?::|$)`)
	// javaLambda matches the part of a generated class's name that differs between processes.
	javaLambda = regexp.MustCompile(`\$\$Lambda(?:\$\d+)?(?:/0x[0-9a-f]+)?`)
	javaName   = regexp.MustCompile(`^[\w$.]+$`)
)

const (
	javaThread     = `Exception in thread "`
	javaCause      = "Caused by: "
	javaSuppressed = "Suppressed: "
)

// readJava reads what Throwable.printStackTrace and the common logging libraries write.
func readJava(all []string) (exc *Exception, before string, ok bool) {
	first := -1
	for i, l := range all {
		if _, isFrame := parseJavaFrame(l); isFrame {
			first = i
			break
		}
	}
	if first < 0 {
		return nil, "", false
	}
	all, start := javaStart(all, first)
	p := &javaParser{lines: all, i: start}
	exc = p.exception(0, "", nil)
	exc.note(all[p.i:])
	return exc, strings.TrimSpace(strings.Join(all[:start], "\n")), true
}

// javaStart finds the line with the class among those above the first frame, and moves what precedes it in that line
// to a line of its own.
func javaStart(all []string, first int) ([]string, int) {
	for i, l := range all[:first] {
		if rest, ok := strings.CutPrefix(l, javaThread); ok {
			if _, class, found := strings.Cut(rest, `" `); found {
				out := append(append([]string{}, all[:i]...), strings.TrimSuffix(l, " "+class), class)
				return append(out, all[i+1:]...), i + 1
			}
		}
		if javaType.MatchString(l) {
			return all, i
		}
	}
	return all, nextText(all[:first], 0)
}

type javaParser struct {
	lines []string
	i     int
	// completed counts the frames that were completed, which a text could otherwise multiply without bound.
	completed int
}

const maxCompleted = 5000

// exception reads an exception and those that belong to it: suppressed ones are indented further, causes begin in the
// same column. enclosing are the frames that `... n more` refers to.
func (p *javaParser) exception(column int, label string, enclosing []Frame) *Exception {
	exc := &Exception{Language: Java}
	p.head(column, label, exc)
	p.frames(exc, enclosing)
	for p.i < len(p.lines) {
		at, text := indented(p.lines[p.i])
		switch {
		case at > column && strings.HasPrefix(text, javaSuppressed):
			exc.Suppressed = append(exc.Suppressed, p.exception(at, javaSuppressed, exc.Frames))
		case at == column && strings.HasPrefix(text, javaCause) && exc.Cause == nil:
			exc.Cause, exc.Relation = p.exception(at, javaCause, exc.Frames), RelationOther
		default:
			return exc
		}
	}
	return exc
}

// indented returns the column in which a line's text begins; a tab is one column, as in Java's output.
func indented(line string) (column int, text string) {
	text = strings.TrimLeft(line, " \t")
	return len(line) - len(text), text
}

// head reads class and message, which may have several lines.
func (p *javaParser) head(column int, label string, exc *Exception) {
	var head []string
	for ; p.i < len(p.lines); p.i++ {
		line := p.lines[p.i]
		if len(head) == 0 {
			head = append(head, line[min(column+len(label), len(line)):])
			continue
		}
		_, isFrame := parseJavaFrame(line)
		at, text := indented(line)
		if isFrame || javaMore.MatchString(line) ||
			at >= column && (strings.HasPrefix(text, javaCause) || strings.HasPrefix(text, javaSuppressed)) {
			break
		}
		head = append(head, line)
	}
	text := strings.TrimRight(strings.Join(head, "\n"), "\n ")
	exc.Message = text
	if class, message, found := strings.Cut(text, ":"); found && javaName.MatchString(class) {
		exc.Type, exc.Message = class, strings.TrimPrefix(message, " ")
	} else if javaType.MatchString(text) && javaName.MatchString(text) {
		exc.Type, exc.Message = text, ""
	}
}

// frames reads calls, newest first, and adds those that are omitted because the enclosing stack trace has them.
func (p *javaParser) frames(exc *Exception, enclosing []Frame) {
	var frames []Frame
	for ; p.i < len(p.lines); p.i++ {
		if m := javaMore.FindStringSubmatch(p.lines[p.i]); m != nil {
			left := min(number(m[1]), len(enclosing))
			if p.completed += left; p.completed <= maxCompleted {
				exc.Frames = append(exc.Frames, enclosing[:left]...)
			}
			p.i++
			break
		}
		frame, isFrame := parseJavaFrame(p.lines[p.i])
		if text := strings.TrimSpace(p.lines[p.i]); !isFrame && strings.HasPrefix(text, "- ") && len(frames) > 0 {
			frames[len(frames)-1].addNote(text) // a thread dump's locks
			continue
		}
		if !isFrame {
			break
		}
		frames = append(frames, frame)
	}
	exc.Frames = append(exc.Frames, reversed(frames)...)
}

func parseJavaFrame(line string) (Frame, bool) {
	m := javaFrame.FindStringSubmatch(line)
	if m == nil {
		return Frame{}, false
	}
	where := javaWhere.FindStringSubmatch(m[4])
	if where == nil {
		return Frame{}, false
	}
	frame := Frame{File: where[1], Line: number(where[2]), Function: m[3]}
	frame.Module = javaLambda.ReplaceAllString(m[2], "$$$$Lambda")
	frame.Package = cmp.Or(m[5], strings.Trim(m[1], "/"))
	if frame.File == "" {
		frame.Note = m[4]
	}
	if m[5] != "" && m[1] != "" {
		frame.addNote(m[1])
	}
	return frame, true
}
