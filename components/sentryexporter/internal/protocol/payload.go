// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package protocol implements Sentry's ingestion protocol: payloads, envelopes, size limits, rate limits and client
// reports. It knows neither OpenTelemetry's data nor HTTP clients.
package protocol

import (
	"encoding/json"
	"time"

	"github.com/getsentry/sentry-go"
)

// Event is an error event or, with Type "transaction", a transaction. sentry-go's type cannot leave `in_app` unset,
// wrap exceptions in `values` (which all servers accept), or have `logentry` and `extra`.
type Event struct {
	EventID     string              `json:"event_id"`
	Type        string              `json:"type,omitempty"`
	Timestamp   time.Time           `json:"timestamp"`
	Platform    string              `json:"platform"`
	Level       sentry.Level        `json:"level,omitempty"`
	Logger      string              `json:"logger,omitempty"`
	Transaction string              `json:"transaction,omitempty"`
	Release     string              `json:"release,omitempty"`
	Environment string              `json:"environment,omitempty"`
	ServerName  string              `json:"server_name,omitempty"`
	Tags        map[string]string   `json:"tags,omitempty"`
	User        *User               `json:"user,omitempty"`
	Contexts    map[string]any      `json:"contexts,omitempty"`
	Extra       map[string]string   `json:"extra,omitempty"`
	SDK         sentry.SdkInfo      `json:"sdk"`
	Request     *Request            `json:"request,omitempty"`
	LogEntry    *LogEntry           `json:"logentry,omitempty"`
	Exception   *Values[*Exception] `json:"exception,omitempty"`
	Fingerprint []string            `json:"fingerprint,omitempty"`
	Breadcrumbs *Values[Breadcrumb] `json:"breadcrumbs,omitempty"`

	// Transactions only; Encode adds their spans.
	StartTimestamp  *time.Time              `json:"start_timestamp,omitempty"`
	TransactionInfo *sentry.TransactionInfo `json:"transaction_info,omitempty"`
}

// TypeTransaction is the Event.Type of a transaction.
const TypeTransaction = "transaction"

// Values is the form of lists that every server supports.
type Values[T any] struct {
	Values []T `json:"values"`
}

// User has an ID only: names and addresses are never sent.
type User struct {
	ID string `json:"id"`
}

// Request is the HTTP request in which an error happened.
type Request struct {
	URL    string `json:"url,omitempty"`
	Method string `json:"method,omitempty"`
}

// Breadcrumb is what happened before an error.
type Breadcrumb struct {
	Timestamp time.Time      `json:"timestamp"`
	Type      string         `json:"type,omitempty"` // default, http, query
	Category  string         `json:"category,omitempty"`
	Level     sentry.Level   `json:"level,omitempty"`
	Message   string         `json:"message,omitempty"`
	Data      map[string]any `json:"data,omitempty"`
}

// LogEntry is the log message of an event.
type LogEntry struct {
	Message string `json:"message"`
}

// Exception of a chain.
type Exception struct {
	Type       string      `json:"type,omitempty"`
	Value      string      `json:"value,omitempty"`
	Module     string      `json:"module,omitempty"`
	Mechanism  *Mechanism  `json:"mechanism,omitempty"`
	Stacktrace *Stacktrace `json:"stacktrace,omitempty"`
}

// Mechanism describes how an exception was caught, and which exceptions of a group belong together.
type Mechanism struct {
	Type             string `json:"type"`
	Handled          *bool  `json:"handled,omitempty"`
	Source           string `json:"source,omitempty"`
	ExceptionID      *int   `json:"exception_id,omitempty"`
	ParentID         *int   `json:"parent_id,omitempty"`
	IsExceptionGroup bool   `json:"is_exception_group,omitempty"`
}

// Stacktrace has the frames, oldest call first.
type Stacktrace struct {
	Frames []Frame `json:"frames"`
}

// Frame of a stack trace. If InApp is nil, the server decides.
type Frame struct {
	Filename    string            `json:"filename,omitempty"`
	AbsPath     string            `json:"abs_path,omitempty"`
	Module      string            `json:"module,omitempty"`
	Function    string            `json:"function,omitempty"`
	Package     string            `json:"package,omitempty"`
	Lineno      int               `json:"lineno,omitempty"`
	Colno       int               `json:"colno,omitempty"`
	ContextLine string            `json:"context_line,omitempty"`
	PostContext []string          `json:"post_context,omitempty"`
	InApp       *bool             `json:"in_app,omitempty"`
	Vars        map[string]string `json:"vars,omitempty"`
}

// Span of a transaction. It is encoded by Append.
type Span struct {
	TraceID                         [16]byte
	SpanID, ParentSpanID            [8]byte
	Op, Description, Status, Origin string
	StartTimestamp, Timestamp       time.Time
	Data                            Data
	Links                           []Link
}

// Link to a span of this or another trace.
type Link struct {
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
}

// TraceContext is `contexts.trace`: the span an event happened in, or a transaction's root span.
type TraceContext struct {
	TraceID      string          `json:"trace_id"`
	SpanID       string          `json:"span_id"`
	ParentSpanID string          `json:"parent_span_id,omitempty"`
	Op           string          `json:"op,omitempty"`
	Status       string          `json:"status,omitempty"`
	Origin       string          `json:"origin,omitempty"`
	Data         json.RawMessage `json:"data,omitempty"`
	Links        []Link          `json:"links,omitempty"`
}

// Log is one record of Sentry's log product.
type Log struct {
	Timestamp      float64                 `json:"timestamp"`
	TraceID        string                  `json:"trace_id"`
	SpanID         string                  `json:"span_id,omitempty"`
	Level          sentry.LogLevel         `json:"level"`
	SeverityNumber int                     `json:"severity_number,omitempty"`
	Body           string                  `json:"body"`
	Attributes     map[string]LogAttribute `json:"attributes,omitempty"`
}

// LogAttribute is a typed value: string, boolean, integer or double.
type LogAttribute struct {
	Value any    `json:"value"`
	Type  string `json:"type"`
}
