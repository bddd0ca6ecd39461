// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"strings"
)

// withoutLiterals replaces the literals of a statement, in the dialect of its database system. It reports whether the
// statement changed.
func withoutLiterals(statement, system string) (string, bool) {
	if system == "redis" {
		return redisArguments(statement)
	}
	clean, found := literals(statement, system)
	for again, left := found, maxPasses; again &&
		left > 0; left-- { // in text that is not SQL, one literal may hide another
		clean, again = literals(clean, system)
	}
	return clean, found
}

// literals replaces the literals of a statement with ? and removes its comments. It understands only as much of SQL as
// that requires: quotes, comments, numbers. If it can't determine where a string ends, it removes the rest of the
// statement: removing too much is better than leaving a literal.
func literals(statement, system string) (string, bool) {
	s := sqlScan{text: statement, system: system}
	for s.at < len(s.text) {
		s.step()
	}
	if s.kept == 0 && s.out.Len() == 0 {
		return statement, false
	}
	s.out.WriteString(s.text[s.kept:])
	clean := strings.TrimSpace(s.out.String())
	return clean, clean != statement
}

// plainSQL marks the bytes that have no meaning for the scanner.
var plainSQL = func() (set [256]bool) {
	for c := range set {
		set[c] = true
	}
	for _, c := range "'\"`$-/#0123456789pPbB" {
		set[c] = false
	}
	return set
}()

type sqlScan struct {
	text   string
	system string
	at     int
	kept   int // text before this position is in out
	out    strings.Builder
}

func (s *sqlScan) step() {
	for s.at < len(s.text) && plainSQL[s.text[s.at]] {
		s.at++
	}
	if s.at == len(s.text) {
		return
	}
	rest := s.text[s.at:]
	switch c := rest[0]; {
	case c == '\'' && s.oracleQuote():
		s.replace(s.oracleEnd(), "?")
	case c == '\'':
		s.replace(s.stringEnd(c), "?")
	case c == '"' && !s.quotesNames():
		s.replace(s.stringEnd(c), "?")
	case c == '"' || c == '`':
		s.at = s.identifierEnd(c)
	case strings.HasPrefix(rest, "--") || (c == '#' && s.mysql()):
		s.replace(s.after("\n", 0), " ")
	case strings.HasPrefix(rest, "/*"):
		s.replace(s.commentEnd(), " ")
	case c == '$':
		s.dollar()
	case c >= '0' && c <= '9':
		s.number()
	case c == 'p' || c == 'P' || c == 'b' || c == 'B':
		s.password()
	default:
		s.at++
	}
}

func (s *sqlScan) mysql() bool {
	switch s.system {
	case "mysql", "mariadb", "oceanbase", "seekdb":
		return true
	}
	return false
}

// quotesNames reports whether double quotes enclose a name. In an unknown dialect they enclose a literal.
func (s *sqlScan) quotesNames() bool {
	return s.postgres() || s.system == "sqlite" || s.system == "other_sql" || isOracle(s.system)
}

func isOracle(system string) bool { return strings.HasPrefix(system, "oracle") }

func (s *sqlScan) postgres() bool { return strings.HasPrefix(s.system, "postgres") }

func (s *sqlScan) replace(end int, by string) {
	s.out.WriteString(s.text[s.kept:s.at])
	s.out.WriteString(by)
	s.at, s.kept = end, end
}

// stringEnd returns the position after the closing quote. In PostgreSQL, a backslash is an ordinary character except
// in E'...'; in MySQL it escapes. In an unknown dialect it could be either, so that the rest of the statement is
// removed.
func (s *sqlScan) stringEnd(quote byte) int {
	escapes := s.mysql() || (s.at > 0 && (s.text[s.at-1]|0x20) == 'e' && (s.at < 2 || !isWord(s.text[s.at-2])))
	known := s.mysql() || s.postgres()
	for i := s.at + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			if escapes {
				i++
			} else if !known {
				return len(s.text)
			}
		case quote:
			if i+1 < len(s.text) && s.text[i+1] == quote {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(s.text)
}

func (s *sqlScan) identifierEnd(quote byte) int {
	if n := strings.IndexByte(s.text[s.at+1:], quote); n >= 0 {
		return s.at + 1 + n + 1
	}
	return len(s.text)
}

func (s *sqlScan) after(end string, from int) int {
	if n := strings.Index(s.text[s.at+from:], end); n >= 0 {
		return s.at + from + n + len(end)
	}
	return len(s.text)
}

// commentEnd returns the position after a comment. In PostgreSQL, comments nest.
func (s *sqlScan) commentEnd() int {
	if !s.postgres() {
		return s.after("*/", 2)
	}
	depth := 0
	for i := s.at; i+1 < len(s.text); i++ {
		switch s.text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(s.text)
}

// oracleQuote reports whether a quote begins Oracle's q'[text]'.
func (s *sqlScan) oracleQuote() bool {
	return !s.postgres() && !s.mysql() && s.at > 0 && s.text[s.at-1]|0x20 == 'q' && s.at+1 < len(s.text) &&
		(s.at < 2 || !isWord(s.text[s.at-2]) || s.text[s.at-2]|0x20 == 'n')
}

func (s *sqlScan) oracleEnd() int {
	closing := string(s.text[s.at+1]) + "'"
	if at := strings.IndexByte("[{(<", s.text[s.at+1]); at >= 0 {
		closing = "]})>"[at:at+1] + "'"
	}
	return s.after(closing, 2)
}

// password replaces the word after PASSWORD or BY if it is not quoted, as in ALTER USER x PASSWORD y.
func (s *sqlScan) password() {
	begin := s.at
	for s.at < len(s.text) && isWord(s.text[s.at]) {
		s.at++
	}
	keyword := s.text[begin:s.at]
	if begin > 0 && (isWord(s.text[begin-1]) || strings.IndexByte(".`\":%(@$", s.text[begin-1]) >= 0) {
		return
	}
	if !strings.EqualFold(keyword, "password") && (!strings.EqualFold(keyword, "by") || !s.identified(begin)) {
		return
	}
	from := s.at
	for from < len(s.text) && s.text[from] == ' ' {
		from++
	}
	if from == s.at || from == len(s.text) {
		return
	}
	if s.text[from] == '"' && isOracle(s.system) && s.identified(begin) { // there, quotes enclose a name otherwise
		s.at = from
		s.replace(s.stringEnd('"'), "?")
		return
	}
	end := from
	for end < len(s.text) && s.text[end] > ' ' && strings.IndexByte(",;()='\"`", s.text[end]) < 0 {
		end++
	}
	switch strings.ToUpper(s.text[from:end]) {
	case "", "IS", "NULL", "NOT", "EXPIRE", "AND", "OR", "FROM", "ASC", "DESC", "LIKE", "IN", "AS", "?", "<>", "!", ">",
		"<", "WHERE",
		"VARCHAR", "TEXT", "CHAR", "VALUES", "REQUIRE", "HISTORY", "REUSE", "LOCK", "ON", "USING", "BETWEEN", "||", "SET":
		return
	}
	if isPlaceholder(s.text[from:end]) {
		return
	}
	s.at = from
	s.replace(end, "?")
}

// identified reports whether IDENTIFIED precedes a position.
func (s *sqlScan) identified(at int) bool {
	const word = "identified"
	before := strings.TrimRight(s.text[max(0, at-len(word)-4):at], " ")
	return len(before) >= len(word) && strings.EqualFold(before[len(before)-len(word):], word)
}

// dollar handles PostgreSQL's $1, which is kept, and $tag$text$tag$, which is a literal.
func (s *sqlScan) dollar() {
	end := s.at + 1
	for end < len(s.text) && isWord(s.text[end]) {
		end++
	}
	if end == len(s.text) || s.text[end] != '$' || (s.at > 0 && isWord(s.text[s.at-1])) {
		s.at = end
		return
	}
	tag := s.text[s.at : end+1]
	s.replace(s.after(tag, len(tag)), "?")
}

// number replaces a number that is not part of a name or of a parameter (%(id_1)s, :id_1, $1).
func (s *sqlScan) number() {
	end := s.at
	for end < len(s.text) && (isWord(s.text[end]) || s.text[end] == '.') {
		end++
	}
	if s.at > 0 && (isWord(s.text[s.at-1]) || s.text[s.at-1] == ':') {
		s.at = end
		return
	}
	if c := s.text[end-1] | 0x20; c == 'e' && end < len(s.text) && (s.text[end] == '-' || s.text[end] == '+') {
		for end++; end < len(s.text) && s.text[end] >= '0' && s.text[end] <= '9'; {
			end++
		}
	}
	s.replace(end, "?")
}

func isWord(c byte) bool { return isAlnum(c) || c == '_' || c >= 0x80 }
