// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logline

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	randomID = "0af7651916cd43dd8448eb211c80319c"
	madeUpID = "b088eb7ef0d55c669b9f75149e587f4b"
)

func utc(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return at.UTC()
}

func TestParse(t *testing.T) {
	info := Request{Method: "GET", Target: "/health", Status: 200, Client: "127.0.0.1"}
	for name, tt := range map[string]struct {
		text string
		want Line
	}{
		"text, as in Dify's compose file": {
			"2026-11-23 08:37:53.893 INFO [MainThread] [x.py:6] " + randomID + " - hello - you",
			Line{
				Time: utc("2026-11-23T08:37:53.893Z"), Level: "INFO", Thread: "MainThread", File: "x.py", FileLine: 6,
				TraceID: randomID, Message: "hello - you", Open: true,
			},
		},
		"text, without LOG_DATEFORMAT": {
			"2026-11-23 08:37:53,893.893 WARNING [Thread-7 (_generate_worker)] [x.py:6] " + randomID + " - hello",
			Line{
				Time: utc("2026-11-23T08:37:53.893Z"), Level: "WARNING", Thread: "Thread-7 (_generate_worker)", File: "x.py",
				FileLine: 6, TraceID: randomID, Message: "hello", Open: true,
			},
		},
		"text, from source: milliseconds are not padded, the name of the logger comes first": {
			"2026-11-23 08:37:53,11 werkzeug INFO [x.py:6] 0123456789 hello",
			Line{
				Time: utc("2026-11-23T08:37:53.011Z"), Level: "INFO", File: "x.py", FileLine: 6, Message: "hello", Open: true,
			},
		},
		"text, from source: a padded level": {
			"2026-11-23 08:37:53,7 INFO  [x.py:6]  hello",
			Line{
				Time: utc("2026-11-23T08:37:53.007Z"), Level: "INFO", File: "x.py", FileLine: 6, Message: "hello", Open: true,
			},
		},
		"Celery's own format": {
			"[2026-11-23 08:37:53,123: WARNING/ForkPoolWorker-1] hello",
			Line{
				Time: utc("2026-11-23T08:37:53.123Z"), Level: "WARNING", Thread: "ForkPoolWorker-1", Message: "hello", Open: true,
			},
		},
		"Celery's first line": {
			" -------------- celery@host v5.6.3 (recovery)",
			Line{Level: "INFO", Message: " -------------- celery@host v5.6.3 (recovery)", Open: true},
		},
		"warning of Python": {
			"/app/api/celery/platforms.py:841: SecurityWarning: You're root",
			Line{
				Level: "WARNING", File: "/app/api/celery/platforms.py", FileLine: 841, Message: "SecurityWarning: You're root",
				Open: true,
			},
		},
		"slow statement of the plugin daemon": {
			"2026/11/23 08:37:53 /app/pg.go:269 SLOW SQL >= 200ms",
			Line{
				Time: utc("2026-11-23T08:37:53Z"), Level: "WARN", File: "/app/pg.go", FileLine: 269,
				Message: "SLOW SQL >= 200ms", Open: true,
			},
		},
		"failed statement of the plugin daemon": {
			"2026/11/23 08:37:53 /app/pg.go:269 ERROR: duplicate key (SQLSTATE 23505)",
			Line{
				Time: utc("2026-11-23T08:37:53Z"), Level: "ERROR", File: "/app/pg.go", FileLine: 269,
				Message: "ERROR: duplicate key (SQLSTATE 23505)", Open: true,
			},
		},
		"text, no trace": {
			"2026-11-23 08:37:53.893 ERROR [Dummy-1] [x.py:6]  - [a] b: c",
			Line{
				Time: utc("2026-11-23T08:37:53.893Z"), Level: "ERROR", Thread: "Dummy-1", File: "x.py", FileLine: 6,
				Message: "[a] b: c", Open: true,
			},
		},
		"text, up to 1.10": {
			"2026-11-23 08:37:53.893 ERROR [Dummy-1] [x.py:6] - hello",
			Line{
				Time: utc("2026-11-23T08:37:53.893Z"), Level: "ERROR", Thread: "Dummy-1", File: "x.py", FileLine: 6,
				Message: "hello", Open: true,
			},
		},
		"text, of a source installation": {
			"2026-11-23 08:37:53,893,893 INFO [x.py:6] 0123456789 hello",
			Line{Time: utc("2026-11-23T08:37:53.893Z"), Level: "INFO", File: "x.py", FileLine: 6, Message: "hello", Open: true},
		},
		"text, an id that Dify made up": {
			"2026-11-23 09:34:46,706.706 INFO [Dummy-1] [handler.py:242] " + madeUpID +
				` - 127.0.0.1 - - [2026-11-23 09:34:46] "GET /health HTTP/1.1" 200 235 0.016423`,
			Line{
				Time: utc("2026-11-23T09:34:46.706Z"), Level: "INFO", Thread: "Dummy-1", File: "handler.py", FileLine: 242,
				TraceID: madeUpID, Unverified: true,
				Message: `127.0.0.1 - - [2026-11-23 09:34:46] "GET /health HTTP/1.1" 200 235 0.016423`, Request: info, Open: true,
			},
		},
		"text, httpx": {
			"2026-11-23 09:34:46,706.706 INFO [G] [_client.py:1025]  - HTTP Request: GET http://h/x?y=1 \"HTTP/1.1 404 NOT " +
				"FOUND\"",
			Line{
				Time: utc("2026-11-23T09:34:46.706Z"), Level: "INFO", Thread: "G", File: "_client.py", FileLine: 1025,
				Message: "HTTP Request: GET http://h/x?y=1 \"HTTP/1.1 404 NOT FOUND\"",
				Request: Request{Method: "GET", Target: "http://h/x?y=1", Status: 404, Sent: true}, Open: true,
			},
		},
		"text, request logging": {
			"2026-11-23 09:34:46.706 INFO [G] [ext_request_logging.py:9] " + randomID + " - POST /v1/chat-messages 500 12.5 " +
				randomID,
			Line{
				Time: utc("2026-11-23T09:34:46.706Z"), Level: "INFO", Thread: "G", File: "ext_request_logging.py", FileLine: 9,
				TraceID: randomID,
				Message: "POST /v1/chat-messages 500 12.5 " + randomID,
				Request: Request{Method: "POST", Target: "/v1/chat-messages", Status: 500}, Open: true,
			},
		},
		"JSON": {
			`{"ts":"2026-11-23T08:37:53.893Z","severity":"WARN","service":"langgenius/dify","caller":"x.py:6","message":"m",` +
				`"trace_id":"` + madeUpID + `","span_id":"00f067aa0ba902b7","identity":{"tenant_id":"t","user_id":"u",` +
				`"user_type":"account"},"attributes":{"n":1},"stack_trace":"s"}`,
			Line{
				Time: utc("2026-11-23T08:37:53.893Z"), Level: "WARN", Service: "langgenius/dify", File: "x.py", FileLine: 6,
				Message: "m",
				TraceID: madeUpID, SpanID: "00f067aa0ba902b7", TenantID: "t", UserID: "u", UserType: "account", Stack: "s",
				Attributes: map[string]any{"n": json.Number("1")},
			},
		},
		"the plugin daemon's JSON": {
			`{"ts":"2026-11-23T16:37:53.893123456+08:00","severity":"ERROR","service":"dify-plugin-daemon",` +
				`"caller":"m.go:1","message":"HTTP request","trace_id":"` + randomID + `","span_id":"00f067aa0ba902b7",` +
				`"attributes":{"method":"POST","path":"/plugin/x?y=1","status":502,"latency_ms":3,"client_ip":"172.18.0.5"}}`,
			Line{
				Time: utc("2026-11-23T08:37:53.893123456Z"), Level: "ERROR", Service: "dify-plugin-daemon", File: "m.go",
				FileLine: 1, Message: "HTTP request",
				TraceID: randomID, SpanID: "00f067aa0ba902b7", Unverified: true,
				Attributes: map[string]any{
					"method": "POST", "path": "/plugin/x?y=1", "status": json.Number("502"),
					"latency_ms": json.Number("3"), "client_ip": "172.18.0.5",
				},
				Request: Request{Method: "POST", Target: "/plugin/x?y=1", Status: 502, Client: "172.18.0.5"},
			},
		},
		"gunicorn": {
			"[2026-11-23 10:33:42 +0100] [4977] [INFO] Starting gunicorn 26.0.0",
			Line{Time: utc("2026-11-23T09:33:42Z"), Level: "INFO", Message: "Starting gunicorn 26.0.0", Open: true},
		},
		"nginx": {
			`172.18.0.1 - - [23/Nov/2026:10:35:19 +0100] "GET /v1/info?a=b HTTP/1.1" 502 157 "-" "curl/8.0 (x)" "-"`,
			Line{
				Time: utc("2026-11-23T09:35:19Z"), Level: "INFO",
				Message: `172.18.0.1 - - [23/Nov/2026:10:35:19 +0100] "GET /v1/info?a=b HTTP/1.1" 502 157 "-" "curl/8.0 (x)" "-"`,
				Request: Request{Method: "GET", Target: "/v1/info?a=b", Status: 502, Client: "172.18.0.1"},
			},
		},
		"nginx, no HTTP": {
			`172.18.0.1 - - [23/Nov/2026:09:35:19 +0000] "\x16\x03\x01" 400 157 "-" "-" "-"`,
			Line{
				Time: utc("2026-11-23T09:35:19Z"), Level: "INFO",
				Message: `172.18.0.1 - - [23/Nov/2026:09:35:19 +0000] "\x16\x03\x01" 400 157 "-" "-" "-"`,
				Request: Request{Status: 400, Client: "172.18.0.1"},
			},
		},
		"nginx error": {
			`2026/11/23 09:35:19 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream, ` +
				`client: 172.18.0.1, server: _, request: "GET /v1/info HTTP/1.1", upstream: "http://172.18.0.3:5001/v1/info", ` +
				`host: "localhost"`,
			Line{
				Time: utc("2026-11-23T09:35:19Z"), Level: "ERROR", Request: Request{Method: "GET", Target: "/v1/info"},
				Message: `7#7: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 172.18.0.1, ` +
					`server: _, request: "GET /v1/info HTTP/1.1", upstream: "http://172.18.0.3:5001/v1/info", host: "localhost"`,
			},
		},
		"an older plugin daemon": {
			"2026/11/23 09:35:19 run.go:12: [WARN]plugin exited",
			Line{
				Time: utc("2026-11-23T09:35:19Z"), Level: "WARN", File: "run.go", FileLine: 12, Message: "plugin exited",
				Open: true,
			},
		},
		"gin": {
			`[GIN] 2026/11/23 - 09:35:19 | 200 |    1.234ms |      172.18.0.5 | POST     "/plugin/x"`,
			Line{
				Time: utc("2026-11-23T09:35:19Z"), Level: "INFO",
				Message: `2026/11/23 - 09:35:19 | 200 |    1.234ms |      172.18.0.5 | POST     "/plugin/x"`,
				Request: Request{Method: "POST", Target: "/plugin/x", Status: 200, Client: "172.18.0.5"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := Parse(tt.text, time.UTC)
			require.True(t, ok)
			got.Time = got.Time.UTC()
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestTimesAreInTheZone(t *testing.T) {
	zone := time.FixedZone("", 8*3600)
	got, ok := Parse("2026-11-23 08:37:53.893 INFO [MainThread] [x.py:6]  - hello", zone)
	require.True(t, ok)
	assert.Equal(t, utc("2026-11-23T00:37:53.893Z"), got.Time.UTC())
}

func TestNotALine(t *testing.T) {
	for _, text := range []string{
		"", " ", "gRPC patched with gevent.", "{", `{"a":1}`, `{"ts":"2026-11-23T08:37:53Z","severity":"INFO"} and more`,
		`{"ts":"x","severity":"LOUD"}`, "[config]", "[GIN] x", "[GIN-debug] x | y", "2026-11-23",
		"2026-11-23 99:37:53 INFO x", "2026-11-23 08:37:53 hello", "2026-11-23 08:37:53+x INFO hello",
		"2026/11/23 09:35:19 hello", "2026/11/23 x",
		"Traceback (most recent call last):", `  File "/app/api/x.py", line 1, in y`, "ValueError: x",
		`1.2.3.4 - - [x] "GET / HTTP/1.1" abc`, "a - b [c", "1999",
	} {
		_, ok := Parse(text, time.UTC)
		assert.False(t, ok, text)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"2026-11-23 08:37:53,893.893+01:00 INFO [a] [x.py:6] " + randomID + " - hello",
		`{"ts":"2026-11-23T08:37:53Z","severity":"INFO"}`,
		"[2026-11-23 10:33:42 +0100] [4977] [INFO] x", `1.2.3.4 - - [23/Nov/2026:10:35:19 +0100] "GET / HTTP/1.1" 200 1`,
		"2026/11/23 09:35:19 [error] x",
		`[GIN] 2026/11/23 - 09:35:19 | 200 | 1ms | 1.2.3.4 | GET "/"`, "x\nTraceback (most recent call last):\n  a\nb.C: d",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, ok := Parse(text, time.UTC)
		if !ok {
			assert.Equal(t, Line{}, l)
		}
		message, e, found := SplitTraceback(text)
		assert.LessOrEqual(t, len(message)+len(e.Stack), len(text))
		if !found {
			assert.Equal(t, text, message)
		}
	})
}
