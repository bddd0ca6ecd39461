// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"strings"
	"time"
)

// containerLine is a line of a container's log, with a mark for the first line of an entry.
type containerLine struct {
	container, text string
	below           bool // belongs to the entry above
}

func countEntries(lines []containerLine) int {
	n := 0
	for _, line := range lines {
		if !line.below {
			n++
		}
	}
	return n
}

// inURL encodes a text for the query of a URL.
func inURL(s string) string {
	return strings.ReplaceAll(s, " ", "+")
}

// canaryLines are lines that Dify, its plugin daemon and nginx write, with canaries in place of users' content and
// secrets.
func canaryLines(c *canaries, at time.Time) []containerLine {
	text := func(level, message string) string {
		return at.UTC().Format("2006-01-02 15:04:05.000") + " " + level + " [MainThread] [x.py:6]  - " + message
	}
	day := at.UTC().Format("02/Jan/2006:15:04:05 +0000")
	json := func(level, message, more string) string {
		return `{"ts":"` + at.UTC().
			Format(time.RFC3339Nano) +
			`","severity":"` + level + `","service":"langgenius/dify","caller":"x.py:6","message":"` + message + `"` + more + `}`
	}
	escaped := func(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) }
	const api, worker = "docker-api-1", "docker-worker-1"
	lines := []containerLine{
		{
			container: worker,
			text: text(
				"INFO",
				"workflow_based_app_execution_task run with params: app_id='e1c0' workflow_id='4149' tenant_id='4062'"+
					" app_mode=<AppMode.WORKFLOW: 'workflow'> user=_EndUser(TYPE=<_UserType.END_USER: 'end_user'>, end_user_id='ea34')"+
					" args={'inputs': {'q': '"+c.content("args of a task")+"', 'o': {'p': \""+c.content("args of a task, deeper")+"\"}}, 'query': '"+
					c.content(
						"query of a task",
					)+"', 'files': [], 'response_mode': 'streaming'} invoke_from=<InvokeFrom.SERVICE_API: 'service-api'> streaming=True",
			),
		},
		{
			container: worker,
			text: text(
				"INFO",
				`HTTP Request: GET http://h/x?q=`+inURL(c.content("query of a request sent"))+` "HTTP/1.1 200 OK"`,
			),
		},
		{
			container: api,
			text: text(
				"INFO",
				`127.0.0.1 - - [2026-11-23 09:34:46] "GET /v1/x?q=`+inURL(
					c.content("query of a request served"),
				)+` HTTP/1.1" 200 235 0.016`,
			),
		},
		{container: api, text: text("ERROR", c.secret("message of an error"))},
		{container: api, below: true, text: "Traceback (most recent call last):"},
		{container: api, below: true, text: `  File "/app/api/x.py", line 1, in f`},
		{container: api, below: true, text: "    g(key='" + c.secret("code in a traceback") + "')"},
		{
			container: api, below: true,
			text: "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedTable) relation \"t\" does not exist",
		},
		{
			container: api, below: true,
			text: "LINE 1: SELECT * FROM t WHERE q = '" + c.content("excerpt of SQL in a traceback") + "'",
		},
		{
			container: api, below: true,
			text: "[SQL: SELECT * FROM t WHERE q = '" + c.content("literal of SQL in a traceback") + "' AND r = %(r)s]",
		},
		{container: api, below: true, text: "[parameters: {'r': '" + c.content("parameters in a traceback") + "'}]"},
		{container: api, text: text("ERROR", "value_error in request handler")},
		{container: api, below: true, text: "Traceback (most recent call last):"},
		{container: api, below: true, text: `  File "/app/api/x.py", line 2, in f`},
		{container: api, below: true, text: "pydantic_core._pydantic_core.ValidationError: 1 validation error for Payload"},
		{container: api, below: true, text: "inputs.q"},
		{
			container: api,
			below:     true,
			text: "  Input should be a number [type=int, input_value='" + c.content(
				"input_value of pydantic",
			) + "', input_type=str]",
		},
		{
			container: api,
			text: json(
				"ERROR",
				escaped(c.secret("message in JSON")),
				`,"identity":{"tenant_id":"t1"},"attributes":{"note":"`+escaped(c.secret("attribute in JSON"))+
					`","api_key":"`+c.next("secret by its key in JSON")+`"},"stack_trace":"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: '`+escaped(c.secret("stack trace in JSON"))+`'\n"`,
			),
		},
		{container: "docker-plugin_daemon-1", text: json("ERROR", escaped(c.secret("message of the plugin daemon")), "")},
		{
			container: "docker-nginx-1",
			text: `172.18.0.1 - - [` + day + `] "GET /v1/x?api_key=` + c.next(
				"query in nginx's access log",
			) + `&q=1 HTTP/1.1" 502 157 "http://h/?token=` +
				c.next(
					"referrer in nginx's access log",
				) + `" "curl/8.5.0" "-"`,
		},
		{
			container: "docker-nginx-1",
			text: at.UTC().
				Format("2006/01/02 15:04:05") +
				` [error] 29#29: *1 connect() failed (111: Connection refused), client: 172.18.0.1, server: _, request: "GET /v1/x?q=` +
				c.next(
					"query in nginx's error log",
				) + ` HTTP/1.1", upstream: "http://172.18.0.5:5001/v1/x?q=` + c.next(
				"upstream in nginx's error log",
			) + `", host: "localhost"`,
		},
		{container: "docker-sandbox-1", text: c.secret("a line in no format")},
	}
	for range secretForms { // each form once in a text line
		lines = append(lines, containerLine{container: worker, text: text("WARNING", c.secret("message of a warning"))})
	}
	return lines
}
