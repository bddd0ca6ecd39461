// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logline

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// jsonLine is a line with LOG_OUTPUT_FORMAT=json: of Dify since 1.11.3, the plugin daemon and the sandbox.
type jsonLine struct {
	TS       string `json:"ts"`
	Severity string `json:"severity"`
	Service  string `json:"service"`
	Caller   string `json:"caller"`
	Message  string `json:"message"`
	TraceID  string `json:"trace_id"`
	SpanID   string `json:"span_id"`
	Identity struct {
		TenantID string `json:"tenant_id"`
		UserID   string `json:"user_id"`
		UserType string `json:"user_type"`
	} `json:"identity"`
	Attributes map[string]any `json:"attributes"`
	StackTrace string         `json:"stack_trace"`
}

func parseJSON(text string, zone *time.Location) (Line, bool) {
	var in jsonLine
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&in); err != nil || strings.TrimSpace(text[decoder.InputOffset():]) != "" {
		return Line{}, false // text that follows the object must not be lost
	}
	name, ok := level(in.Severity)
	if !ok || in.TS == "" {
		return Line{}, false
	}
	l := Line{
		Level: name, Message: in.Message, Service: in.Service, Stack: in.StackTrace, Attributes: in.Attributes,
		TenantID: in.Identity.TenantID, UserID: in.Identity.UserID, UserType: in.Identity.UserType,
	}
	if at, rest, ok := cutTime(in.TS, zone); ok && rest == "" {
		l.Time = at
	}
	l.setCaller(in.Caller)
	l.setTrace(in.TraceID)
	if len(in.SpanID) == 16 && isHex(in.SpanID) && l.TraceID != "" {
		l.SpanID = strings.ToLower(in.SpanID)
	}
	// Dify writes a span ID only if a span was active. The others generate both IDs if the caller sent none.
	if in.Service == "dify-plugin-daemon" || strings.Contains(in.Service, "sandbox") {
		l.Unverified = l.TraceID != ""
	} else if l.SpanID != "" {
		l.Unverified = false
	}
	if l.Request = requestIn(l.Message, l.File); l.Request == (Request{}) {
		l.Request = requestOf(in.Attributes)
	}
	return l, true
}

// requestOf returns the HTTP request in the attributes of a plugin daemon's line.
func requestOf(attributes map[string]any) Request {
	str := func(key string) string { s, _ := attributes[key].(string); return s }
	number, _ := attributes["status"].(json.Number)
	code, err := strconv.Atoi(number.String())
	if err != nil || code < 100 || code > 599 || str("method") == "" {
		return Request{}
	}
	return Request{Method: str("method"), Target: str("path"), Status: code, Client: str("client_ip")}
}
