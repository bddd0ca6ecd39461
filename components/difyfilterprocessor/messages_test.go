// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const content = "CONTENT of a user"

func TestContentInMessagesIsRemoved(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"a run's arguments": {
			`run with params: app_id='d768' user=_EndUser(TYPE=<_UserType.END_USER: 'end_user'>) args={'inputs': {'q': ` +
				`'CONTENT of a user\'s }'}, 'files': []} invoke_from=<x>`,
			`run with params: app_id='d768' user=_EndUser(TYPE=<_UserType.END_USER: 'end_user'>) args=*** invoke_from=<x>`,
		},
		"JSON": {`got {"query": "CONTENT of a user", "n": 1}`, `got {"query": "***", "n": 1}`},
		"JSON in JSON": {
			`got "{\"query\": \"CONTENT of a user\", \"n\": 1}"`,
			`got "{\"query\": \"***\", \"n\": 1}"`,
		},
		"truncated": {`args={'q': 'CONTENT of a user`, `args=***`},
		"pydantic": {
			`Input should be x [type=y, input_value='CONTENT of a user', input_type=str]`,
			`Input should be x [type=y, input_value='***', input_type=str]`,
		},
		"request body": {
			"Received Request POST -> /v1/x, Request Body:\n{\n \"a\": \"CONTENT of a user\"\n}",
			"Received Request POST -> /v1/x, Request Body:***",
		},
		"access line": {
			`1.2.3.4 - - [x] "GET /v1/x?q=CONTENT+of HTTP/1.1" 200`,
			`1.2.3.4 - - [x] "GET /v1/x?*** HTTP/1.1" 200`,
		},
		"URL": {
			`HTTP Request: GET http://h/x?q=CONTENT "HTTP/1.1 200 OK"`,
			`HTTP Request: GET http://h/x?*** "HTTP/1.1 200 OK"`,
		},
		"URL with commas": {
			`GET http://h/x?q=a,CONTENT(1) "HTTP/1.1 200 OK"`,
			`GET http://h/x?*** "HTTP/1.1 200 OK"`,
		},
		"PostgreSQL's line": {"(psycopg2.errors.X) no\nLINE 1: SELECT a FROM b WHERE c = 'CONTENT of a " +
			"user'\n                ^\n[SQL: SELECT 'CONTENT of a user']\n(Background on", "(psycopg2.errors.X) no\nLINE 1: " +
			"SELECT a FROM b WHERE c = '***'\n                ^\n[SQL: SELECT '***']\n(Background on"},
		"the same in a Python representation": {`E("no\nLINE 1: SELECT \'CONTENT of a user\'\n  ^\n[SQL: SELECT ` +
			`\'CONTENT of a user\']\n(Background on")`, `E("no\nLINE 1: SELECT \'***\'\n  ^\n[SQL: SELECT \'***\']\n(Background on")`},
		"a key": {
			`DETAIL:  Key (email)=(CONTENT of (a) user) already exists.`,
			`DETAIL:  Key (email)=(***) already exists.`,
		},
		"a row": {
			`DETAIL:  Failing row contains (1, CONTENT of a user).`,
			`DETAIL:  Failing row contains (***).`,
		},
		"MySQL": {
			`(1062, "Duplicate entry 'CONTENT of a user' for key 'x'")`,
			`(1062, "Duplicate entry '***' for key 'x'")`,
		},
		"code": {
			"    run(args=args, inputs=inputs)\n    query = self.query",
			"    run(args=args, inputs=inputs)\n    query = self.query",
		},
		"a question": {"what is /tmp? or http://h/? then", "what is /tmp? or http://h/? then"},
		"nothing":    {"Task x[y] succeeded in 0.29s: None", "Task x[y] succeeded in 0.29s: None"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			ld := b.logs(t, records(func(r plog.LogRecord) {
				r.Body().SetStr(tt.in)
				r.Attributes().PutStr("exception.message", tt.in)
				r.Attributes().PutStr(difysemconv.AttrRunError, tt.in)
			}))
			record := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			assert.Equal(t, tt.want, record.Body().Str())
			assert.Equal(t, tt.want, attrs.Text(record.Attributes(), "exception.message"))
			assert.Equal(t, tt.want, attrs.Text(record.Attributes(), difysemconv.AttrRunError))
			assert.Equal(t, tt.in == tt.want, len(b.counter(t, "otelcol_dify_filter_redacted_values")) == 0)

			span := byID(b.traces(t, batchOf(kv{}, spanSpec{id: 1, err: tt.in})), 1)
			assert.Equal(t, tt.want, span.Status().Message())
			assert.NotContains(t, tt.want, content)
			assert.Equal(t, wireLogs(t, ld), wireLogs(t, newHarness(t).logs(t, ld)), "idempotent")
		})
	}
}

func TestMessagesKept(t *testing.T) {
	b := newHarness(t, func(c *Config) { c.Redaction.Messages = false })
	ld := b.logs(t, records(func(r plog.LogRecord) { r.Body().SetStr("args={'q': 'x'}") }))
	assert.Equal(t, "args={'q': 'x'}", ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str())
}
