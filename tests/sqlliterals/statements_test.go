// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package sqlliterals compares how dify_filter removes the literals of statements with DataDog's obfuscator, which is
// made for the same purpose: what remains, what is destroyed, and at which cost.
package sqlliterals

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// statement is a generated statement with the literals that must go and the names that must stay.
type statement struct {
	system, form, text string
	literals, names    []string
}

// forms are the statements of each database system. {L} is a literal, {N} a number, {H} hexadecimal digits, {I} a name.
var forms = map[string][]string{
	"postgresql": {
		"SELECT {I}.{I} FROM {I} WHERE {I}.{I} = '{L}' AND n = {N}",
		"INSERT INTO {I} ({I}, {I}) VALUES ('{L}', E'it\\'s {L}', 'a''{L}')",
		"SELECT '\\', '{L}' FROM {I}",
		"SELECT $tag$it's {L}$tag$, $${L}$$ FROM {I} WHERE a = $1",
		"/* outer /* {L} */ still '{L} */ SELECT {I} FROM {I}",
		"SELECT {I} -- it's {L}\nFROM {I}",
		"SELECT \"{I}\" FROM \"{I}\" WHERE b = '{L}\n{L}'",
		"UPDATE {I} SET {I} = '{\"k\": \"{L}\"}'::jsonb WHERE id = {N}",
		"ALTER USER {I} WITH PASSWORD '{L}'",
		"CREATE ROLE {I} LOGIN PASSWORD {L}",
		"SELECT * FROM {I} WHERE id IN ({N}, -{N}, {N}.5) LIMIT {N}",
		"SELECT U&'{L}\\0041', B'0101', X'{H}' FROM {I}",
		"WITH {I} AS (SELECT 1 FROM {I} WHERE a LIKE '%{L}%') DELETE FROM {I}",
		"DO $do$ BEGIN PERFORM '{L}'; END $do$",
		"SELECT 'a'\n'{L}' FROM {I}",
		"SELECT {I} FROM {I} WHERE a = %(id_1)s AND b = '{L}' /* route='{L}' */",
		"INSERT INTO {I} VALUES ('{L}'), ('密码 {L}'), ('{L}",
		"SELECT {I}($1, '{L}') FROM {I} WHERE a = ANY(ARRAY['{L}', 'x'])",
	},
	"mysql": {
		"SELECT \"{L}\", '{L}', 'a\\'{L}' FROM `{I}`",
		"# it's {L}\nSELECT {I} FROM {I}",
		"SET PASSWORD FOR 'u'@'h' = '{L}'",
		"CREATE USER {I} IDENTIFIED BY '{L}'",
		"GRANT ALL ON {I}.* TO {I} IDENTIFIED BY \"{L}\"",
		"INSERT INTO `{I}` (`{I}`) VALUES (0x{H}), (x'{H}'), (_utf8'{L}'), (N'{L}')",
		"SELECT {I} /* {L} */ FROM {I} WHERE a = \"x\"\"{L}\"",
		"LOAD DATA INFILE '{L}' INTO TABLE {I}",
		"SELECT `{I}`.`{I}` FROM {I} WHERE a = '\\\\' OR b = '{L}'",
		"UPDATE {I} SET {I} = 'a\n{L}' WHERE id = {N} -- {L}",
	},
	"oracle": {
		"SELECT q'[it's {L}]', nq'{a ' {L}}', Q'!'{L}!' FROM {I}",
		"ALTER USER {I} IDENTIFIED BY {L}",
		"SELECT date '{L}', {I} FROM {I} WHERE a = :id_1",
		"SELECT \"{I}\" FROM \"{I}\" WHERE b = q'<{L}>'",
		"CREATE USER {I} IDENTIFIED BY \"{L}\"",
	},
	"": {
		"SELECT '{L}' FROM {I} WHERE {I} = 'x'",
		"CREATE USER {I} PASSWORD {L}",
		"SELECT {I} FROM {I} WHERE a = {N} /* {L} */",
	},
	"redis": {
		"SET key {L}", "SET key first\nsecond {L}", "HSET key field {L}", "AUTH {L}", "AUTH user {L}",
		"CONFIG SET requirepass {L}", "LPUSH queue {\"a\": \"{L}\"}", "EVAL return('{L}') 0", "SETEX key 60 {L}\nGET key",
		"MSET a {L} b \"x y {L}\"", "PUBLISH channel {L}\n{L}",
	},
}

// commands are the names of Redis commands, which must stay.
func commands(form string) []string { return []string{strings.Fields(form)[0]} }

// generate returns statements of each form, with new names and literals.
func generate(random *rand.Rand, each int) []statement {
	word := func(letters string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = letters[random.IntN(len(letters))]
		}
		return string(b)
	}
	const letters = "abcdefghijklmnopqrstuvwxyz"
	var list []statement
	for system, all := range forms {
		for _, form := range all {
			for range each {
				s := statement{system: system, form: form}
				s.text = replaceEach(form, func(kind byte) string {
					part := ""
					switch kind {
					case 'I':
						part = "tbl_" + word(letters, 8)
						s.names = append(s.names, part)
						return part
					case 'N':
						part = strconv.Itoa(1_000_000 + random.IntN(8_999_999))
					case 'H':
						part = "5ec" + word("0123456789abcdef", 13)
					default:
						part = "Lit" + word(letters, 4) + word("ABC0123456789", 6)
					}
					s.literals = append(s.literals, part)
					return part
				})
				if system == "redis" {
					s.names = commands(form)
				}
				list = append(list, s)
			}
		}
	}
	return list
}

// replaceEach replaces {I}, {L} and so on.
func replaceEach(form string, part func(kind byte) string) string {
	var b strings.Builder
	for i := 0; i < len(form); i++ {
		if i+2 < len(form) && form[i] == '{' && form[i+2] == '}' && strings.IndexByte("ILNH", form[i+1]) >= 0 {
			b.WriteString(part(form[i+1]))
			i += 2
			continue
		}
		b.WriteByte(form[i])
	}
	return b.String()
}
