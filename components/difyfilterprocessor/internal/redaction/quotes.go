// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// quotes finds content that messages quote: variables, values of databases and parsers, literals of statements.
type quotes struct{ *scan }

// contentNames are names of variables with content, in calls, in the representation of Python objects and in JSON. The
// values of the others may also be words of a program.
var (
	contentNames = words("args inputs outputs query prompt completion answer arguments tool_parameters " +
		"prompt_messages input_value user_input question page_content messages chat_history system_prompt " +
		"user_prompt " +
		"tool_input tool_output process_data original_inputs user_query retrieval_query")
	likelyContentNames = words("input output files payload content text result response data json params variables " +
		"kwargs body history context instruction instructions template documents document form parameters " +
		"tool_calls " +
		"transcript thought observation final_answer output_text message_content raw_input input_text")
)

// contentAfter cuts the value after a name if it is quoted or in brackets, as in args={'inputs': ...}.
func (s quotes) contentAfter(name string, at, size int) int {
	const longest = 24
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name = name[dot+1:]
	}
	if len(name) > longest {
		return at
	}
	name = strings.ToLower(name)
	sure := contentNames[name]
	if !sure && !likelyContentNames[name] {
		return at
	}
	v := findValue(s.text, at+size, false)
	if v.to <= v.from || (!v.quoted && !v.structure) {
		return at
	}
	if v.quoted && isHarmlessContent(s.text[v.from:v.to], sure) {
		return at
	}
	if v.structure && strings.Trim(s.text[v.from:v.to], "[](){}'\"* ") == "" {
		return v.to // masked, or empty
	}
	return s.cut(v.from, v.to, ruleMessage)
}

// isHarmlessContent reports whether a quoted value is a word of a program rather than content.
func isHarmlessContent(value string, sure bool) bool {
	const longWord = 16
	switch {
	case isMasked(value) || isPlaceholder(value) || harmlessValues[strings.ToLower(value)]:
		return true
	case len(value) > 64:
		return false
	}
	major, minor, mime := strings.Cut(value, "/")
	if mime && isLetters(major) && minor != "" && !strings.Contains(minor, " ") {
		switch major {
		case "text", "application", "image", "audio", "video", "multipart", "font", "model":
			return true
		}
	}
	return !sure && len(value) <= longWord && strings.ToLower(value) == value && isLetters(value)
}

// bodies introduce a body that ends with the text.
var bodies = [...]string{
	"Request Body", "Response Body", "request body", "response body", "Response content",
	"extra error", // of the parameter extractor: the model's answer
}

// phrases precede a colon and a quoted value of a user.
var phrases = [...]string{
	"base 10", "to float", "isoformat string", "KeyError", "value", "beginning with", "input syntax for type",
	"输入语法无效",
	"field value out of range", "array literal", "输入语法", "ValidationError", "AssertionError",
	"无效的类型", "输入语法不正确", "无效", "literal for int()", "column",
}

// databaseValue cuts the values that databases and parsers quote when they reject an input, to their closing mark.
func (s quotes) databaseValue(at int) int {
	text := s.text
	switch text[at] {
	case '(':
		if hasSuffix(text, at, "Failing row contains ", "行包含", "行包含 ", "失败的行包含 ") {
			return s.cutTo(at+1, ").", ")。")
		}
		if isPipelined(text[max(0, at-24):at]) {
			return s.cutTo(at+1, ") of pipeline")
		}
	case '=':
		if at > 0 && text[at-1] == ')' && strings.HasPrefix(text[at:], "=(") {
			return s.cutTo(at+2, ") already", ") is ", ") conflicts", ") 已", ")已", ")\" 已", ")\"已", ")不", ") 不", ")仍", ") 仍",
				")没", ")与", ") 与")
		}
		if isParameter(text[:at]) {
			if v := findValue(text, at+1, false); v.quoted {
				return s.cut(v.from, v.to, ruleSQL)
			}
		}
	case '\'':
		if hasSuffix(text, at, "Duplicate entry ", "重复条目 ", "重复输入 ") {
			return s.duplicate(at + 1)
		}
		if hasSuffix(text, at, "right syntax to use near ", "SQL syntax near ") {
			return s.cutTo(at+1, "' at line")
		}
	case ':':
		return s.introduced(at)
	}
	return at
}

// isPipelined reports whether a text ends with what redis-py writes before a command: Command # 1 (.
func isPipelined(text string) bool {
	number := strings.TrimRight(text, " ")
	return strings.HasSuffix(strings.TrimRight(number, "0123456789"), "Command # ")
}

// isParameter reports whether a text ends with a parameter of PostgreSQL's errors: $1 =.
func isParameter(text string) bool {
	near := strings.TrimRight(text[max(0, len(text)-8):], " ")
	number := strings.TrimRight(near, "0123456789")
	return len(number) < len(near) && strings.HasSuffix(number, "$")
}

// introduced cuts what follows a colon after the words of a database or a parser.
func (s quotes) introduced(at int) int {
	last := byte(0)
	if at > 0 {
		last = s.text[at-1]
	}
	switch {
	case (last == 'y' || last == 't' || last == 'r') && hasSuffix(s.text, at, bodies[:]...):
		if strings.TrimSpace(s.text[at+1:]) == Mask {
			return len(s.text)
		}
		return s.cut(at+1, len(s.text), ruleMessage)
	case last == 'Y' && hasSuffix(s.text, at, "QUERY"), last == 'T' && hasSuffix(s.text, at, "STATEMENT"):
		from := pastBlanks(s.text, at+1)
		end := len(s.text)
		if n := strings.Index(s.text[from:], "\nCONTEXT:"); n >= 0 {
			end = from + n
		}
		return s.cut(from, end, ruleSQL)
	case ofServerLog(s.text, at):
		if from := pastBlanks(s.text, at+1); s.text[from:] != Mask {
			return s.cut(from, len(s.text), ruleSQL)
		}
		return len(s.text)
	case isDigit(last) && ofJSON(s.text[max(0, at-24):at]):
		from := pastBlanks(s.text, at+1)
		return s.cut(from, endOfLine(s.text, from), ruleMessage)
	case !quoteFollows(s.text, at+1):
		return at
	}
	for _, phrase := range phrases {
		if !phraseBefore(s.text, at, phrase) {
			continue
		}
		v := findValue(s.text, at+1, false)
		if !v.quoted || v.to <= v.from {
			return at
		}
		value := s.text[v.from:v.to]
		if value == Mask || (isIdentifier(value) && !hasDigit(value)) {
			return at
		}
		return s.cut(v.from, v.to, ruleMessage)
	}
	return at
}

// ofServerLog reports whether a position follows the words after which PostgreSQL's own log has a statement or its
// parameters, which are the rest of the entry.
func ofServerLog(text string, at int) bool {
	const longest = 160 // with the name of a prepared statement
	if at == 0 || !strings.HasPrefix(text[at:], ": ") {
		return false
	}
	if hasSuffix(text, at, "STATEMENT", "DETAIL:  parameters", "DETAIL:  Parameters") {
		return true
	}
	near := text[max(0, at-longest):at]
	_, after, ok := strings.Cut(near, " ms  ")
	return ok && strings.Contains(near, "duration: ") &&
		(after == "statement" || strings.HasPrefix(after, "execute ") || strings.HasPrefix(after, "parse ") ||
			strings.HasPrefix(after, "bind "))
}

// ofJSON reports whether a text ends with the words of PostgreSQL before a line of JSON, and the number of the line.
func ofJSON(text string) bool {
	return strings.Contains(text, "JSON data, line ") || strings.Contains(text, "JSON 数据, 行 ")
}

// phraseBefore reports whether a phrase, and perhaps the name of a type, precedes a position.
func phraseBefore(text string, at int, phrase string) bool {
	const typeName = 32
	near := text[max(0, at-len(phrase)-typeName):at]
	if phrase == "input syntax for type" || phrase == "column" || phrase == "value" {
		if phrase == "value" {
			return strings.HasSuffix(near, " value") &&
				(strings.Contains(near, "ncorrect") || strings.Contains(near, "nvalid"))
		}
		n := strings.Index(near, phrase)
		return n >= 0 && !strings.ContainsAny(near[n:], "\n:'\"") && (phrase != "column" ||
			strings.Contains(text[max(0, at-128):at], "COPY "))
	}
	return strings.HasSuffix(near, phrase)
}

func hasSuffix(text string, at int, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(text[:at], suffix) {
			return true
		}
	}
	return false
}

// cutTo cuts a value to the first of its closing marks, which begin with the same byte, across lines. Without one, it
// cuts to the end of the text.
func (s quotes) cutTo(from int, closing ...string) int {
	for at := from; at < len(s.text); at++ {
		n := strings.IndexByte(s.text[at:], closing[0][0])
		if n < 0 {
			break
		}
		at += n
		for _, mark := range closing {
			if strings.HasPrefix(s.text[at:], mark) {
				return s.cut(from, at, ruleMessage)
			}
		}
	}
	return s.cut(from, len(s.text), ruleMessage)
}

// duplicate cuts the entry that MySQL quotes, which may have quotes of its own.
func (s quotes) duplicate(from int) int {
	const near = 1 << 10
	part := s.text[from:min(len(s.text), from+near)]
	for _, mark := range [...]string{"' for key", "' 对于键", "'"} {
		if n := strings.Index(part, mark); n >= 0 {
			return s.cut(from, from+n, ruleMessage)
		}
	}
	return s.cut(from, len(s.text), ruleMessage)
}
