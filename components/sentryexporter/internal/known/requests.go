// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package known

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/convert"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// request identifies a request to an app. Dify writes no ID of a message to spans.
type request struct {
	app, user string
	second    int64 // in which it began
}

// severalTraces means that several requests are equal.
const severalTraces = "several"

// Dify creates a message when its request has begun, with a time in seconds.
const (
	messageEarlier = 1 // second
	messageLater   = 2 // seconds
)

// addRequest remembers a request to an app. The caller holds mu.
func (k *Known) addRequest(root *tracetree.Node, now time.Time) {
	if root.Span.Kind() != ptrace.SpanKindServer {
		return
	}
	app, user := convert.AppAndUser(root.Segment)
	if app == "" || user == "" {
		return
	}
	key := request{app, user, root.Start.Unix()}
	trace := root.TraceHex()
	if known, ok := k.requests.Peek(key, now); ok && known != trace {
		trace = severalTraces
	}
	k.requests.Set(key, trace, now)
}

// TraceOfMessage returns the ID of the trace of the request that created a failed message; the zero ID if it is not
// known, or the item is no failed message.
func (k *Known) TraceOfMessage(it *item.Item, now time.Time) item.ID {
	k.mu.Lock()
	defer k.mu.Unlock()
	if trace := k.traceOfMessage(it, now); trace != "" {
		return convert.TraceID(trace)
	}
	return item.ID{}
}

// traceOfMessage is TraceOfMessage in hexadecimal; "" if not known. The caller holds mu.
func (k *Known) traceOfMessage(it *item.Item, now time.Time) string {
	m := it.Relations.Message
	if m == (item.Message{}) {
		return ""
	}
	found := ""
	created := m.Created.Unix()
	for at := created - messageLater; at <= created+messageEarlier; at++ {
		trace, ok := k.requests.Get(request{m.App, m.User, at}, now)
		if !ok {
			continue
		}
		if trace == severalTraces || found != "" && found != trace {
			return ""
		}
		found = trace
	}
	return found
}
