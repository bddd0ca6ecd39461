// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logline

import (
	"strconv"
	"strings"
	"time"
)

// Request is the HTTP request that a line reports.
type Request struct {
	Method string
	Target string // path or URL, as written
	Status int
	Client string // address of the client
	Sent   bool   // Dify sent it, as a client
}

// requestIn returns the request that a message reports: in the access line of a server, in the line of a client
// (httpx), or in the line that ENABLE_REQUEST_LOGGING enables.
func requestIn(message, file string) Request {
	if rest, ok := strings.CutPrefix(message, "HTTP Request: "); ok {
		target, response, _ := strings.Cut(rest, ` "`)
		_, status, _ := strings.Cut(response, " ")
		r := requestLine(target, status)
		r.Sent = r.Method != ""
		return r
	}
	if words := strings.Fields(message); file == "ext_request_logging.py" && len(words) >= 4 {
		return request(words[0], words[1], words[2])
	}
	if l, ok := parseAccess(message); ok {
		return l.Request
	}
	return Request{}
}

// parseAccess parses the access lines of nginx, gunicorn and gevent:
//
//	172.18.0.1 - - [23/Nov/2026:09:35:19 +0000] "POST /v1/workflows/run HTTP/1.1" 200 744 "-" "curl/8" "-"
//	127.0.0.1 - - [2026-11-23 09:34:46] "GET /health HTTP/1.1" 200 235 0.016423
func parseAccess(text string) (Line, bool) {
	head, rest, ok := strings.Cut(text, " [")
	if !ok || strings.Count(head, " ") != 2 {
		return Line{}, false
	}
	stamp, rest, ok := strings.Cut(rest, `] "`)
	if !ok {
		return Line{}, false
	}
	line, rest, ok := strings.Cut(rest, `" `) // nginx escapes quotes within the request
	if !ok {
		return Line{}, false
	}
	l := Line{Level: "INFO", Message: text, Request: requestLine(line, rest)}
	if l.Request.Status == 0 {
		return Line{}, false
	}
	l.Request.Client, _, _ = strings.Cut(head, " ")
	if at, err := time.Parse("02/Jan/2006:15:04:05 -0700", stamp); err == nil {
		l.Time = at
	}
	return l, true
}

// requestLine parses GET /x HTTP/1.1, and the status that follows it.
func requestLine(line, rest string) Request {
	words := strings.Fields(line)
	if len(words) < 2 {
		return request("", "", rest)
	}
	return request(words[0], words[1], rest)
}

func request(method, target, rest string) Request {
	status, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	code, err := strconv.Atoi(status)
	if err != nil || code < 100 || code > 599 {
		code = 0
	}
	if strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		method, target = "", "" // not HTTP, for example from a port scanner
	}
	return Request{Method: method, Target: target, Status: code}
}
