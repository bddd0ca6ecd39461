// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWithoutLiterals(t *testing.T) {
	for name, tt := range map[string]struct{ system, statement, want string }{
		"placeholders stay": {
			"postgresql", "SELECT a.id AS a_id FROM a1 WHERE a.id = %(id_1)s AND b = $1 AND c = :c_2", "",
		},
		"strings and numbers": {
			"postgresql", "SELECT 'a''b', 1, 2.5, 1e-5, 0xFF FROM t1",
			"SELECT ?, ?, ?, ?, ? FROM t1",
		},
		"quoted identifiers":                 {"postgresql", `SELECT "index" FROM "a 1"`, ""},
		"mysql strings":                      {"mysql", "SELECT \"a\\\"b\", 'c\\'d' FROM `t 1`", "SELECT ?, ? FROM `t 1`"},
		"backslash is an ordinary character": {"postgresql", `SELECT 'a\', 'secret'`, "SELECT ?, ?"},
		"but not in E":                       {"postgresql", `SELECT E'a\'b', 'c'`, "SELECT E?, ?"},
		"a database's JSON":                  {"elasticsearch", `{"query": "secret"}`, `{?: ?}`},
		"unknown system":                     {"", `SELECT 'a\', 'secret' FROM x`, "SELECT ?"},
		"dollar quotes":                      {"postgresql", "SELECT $f$it's$f$, $$x$$", "SELECT ?, ?"},
		"unclosed":                           {"postgresql", "SELECT 'secret", "SELECT ?"},
		"oracle's names": {
			"oracle", `SELECT "a" FROM b IDENTIFIED BY "c"`, `SELECT "a" FROM b IDENTIFIED BY ?`,
		},
		"comments":         {"postgresql", "SELECT x /* user 'bob' */ FROM t -- bye", "SELECT x   FROM t"},
		"sqlcommenter":     {"postgresql", "SELECT x /*traceparent='00-0af7-b7ad-01'*/", "SELECT x"},
		"redis":            {"redis", "SET key secret\nGET ?", "SET ? ?\nGET ?"},
		"redis clean":      {"redis", "LLEN ?\nLLEN ?", ""},
		"redis subcommand": {"redis", "SCRIPT LOAD ?", ""},
		"redis argument":   {"redis", "CONFIG SET requirepass x", "CONFIG SET ? ?"},
	} {
		t.Run(name, func(t *testing.T) {
			got, changed := withoutLiterals(tt.statement, tt.system)
			if tt.want == "" {
				assert.False(t, changed)
				assert.Equal(t, tt.statement, got)
				return
			}
			assert.True(t, changed)
			assert.Equal(t, tt.want, got)
		})
	}
}
