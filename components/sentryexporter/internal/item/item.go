// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package item defines what travels from conversion to delivery: a finished item of an envelope, with the ID under
// which it is recognized, the route that it matched, and the reasons for which data is discarded instead.
package item

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// Item is one finished item of an envelope. Its JSON form is what a persistent queue and the storage of failed runs
// contain, next to the payload; its keys must not change.
type Item struct {
	Category protocol.Category `json:"category"` // error, transaction or log_item
	EventID  string            `json:"event_id,omitempty"`
	Route    Route             `json:"route"`
	Time     time.Time         `json:"time"`            // of the event; of the newest record of several logs
	Count    int               `json:"count"`           // number of log records; otherwise 1
	Spans    int               `json:"spans,omitempty"` // of a transaction, including its root
	Size     int               `json:"size"`            // of the payload, in bytes

	Payload []byte `json:"-"`

	// What follows is known only until the item is queued: a retry needs none of it.

	// ID recognizes the item when it comes again. Log items have none.
	ID ID `json:"-"`
	// RecordIDs recognize the log records of a log item.
	RecordIDs []ID `json:"-"`
	// Relations are the item's relations to other recordings of the same failure.
	Relations Relations `json:"-"`
	// Waits is what the item waits for: "" if it does not wait, the ID of the workflow run whose failure it reports, or
	// WaitsForTrace and its own ID.
	Waits string `json:"-"`
	// Supersedes are the workflow runs that failed by the exception that the item reports. Their failed-run events are
	// not sent.
	Supersedes []string `json:"-"`
}

// WaitsForTrace begins Item.Waits of an error that was read from a log line, or recorded by a client span: the spans
// around it may show the same failure, or that it was handled.
const WaitsForTrace = "trace:"

// Relations connect the recordings of one failure: on spans, in log lines, as the error of a run, or as the cause of
// another exception.
type Relations struct {
	// Checks are IDs of recordings that include the item: if one was sent, the item is a duplicate.
	Checks []ID `json:"checks,omitempty"`
	// Marks are IDs of recordings that the item includes.
	Marks []ID `json:"marks,omitempty"`
	// Text is the ID of the failure's text, by which recordings without a common trace or run are recognized.
	Text ID `json:"text"`
	// Line means that the item was read from a log record. Traceless means that this record has no trace, or that a call
	// without a parent has the exception.
	Line      bool `json:"line,omitempty"`
	Traceless bool `json:"traceless,omitempty"`
	// Step is what failed, as far as an emitter of Dify says it.
	Step Step `json:"step,omitzero"`
	// Trace is the ID of the item's trace; the zero ID if it has none.
	Trace ID `json:"trace"`
	// Message is the message that failed; the zero Message for others.
	Message Message `json:"message,omitzero"`
	// Parent is the ID of the span above those that are known, of an exception of a client span.
	Parent ID `json:"parent"`
}

// Message is what is known of a message of a chat, agent or completion app, and of the request that created it.
type Message struct {
	App     string    `json:"app,omitempty"`
	User    string    `json:"user,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// Step is a part of a workflow run that failed. Several emitters of Dify report it, each in a trace of its own.
type Step struct {
	// Run is the ID of the run or the message.
	Run string `json:"run,omitempty"`
	// Node is the ID of the node's execution; "" for the failure of the run itself.
	Node string `json:"node,omitempty"`
	// Emitter is the emitter; "" for ENABLE_OTEL, which records each exception where it is raised.
	Emitter string `json:"emitter,omitempty"`
}

// Quantities returns what the item counts as, by category.
func (it *Item) Quantities() map[protocol.Category]int64 {
	switch it.Category {
	case protocol.CategoryTransaction:
		return map[protocol.Category]int64{protocol.CategoryTransaction: 1, protocol.CategorySpan: int64(it.Spans)}
	case protocol.CategoryLogItem:
		return map[protocol.Category]int64{
			protocol.CategoryLogItem: int64(it.Count),
			protocol.CategoryLogByte: int64(it.Size),
		}
	default:
		return map[protocol.Category]int64{it.Category: 1}
	}
}

// LimitedBy returns the categories whose rate limits apply to the item.
func (it *Item) LimitedBy() []protocol.Category {
	if it.Category == protocol.CategoryLogItem {
		return []protocol.Category{protocol.CategoryLogItem, protocol.CategoryLogByte}
	}
	return []protocol.Category{it.Category}
}

// EnvelopeItem returns the item as it is framed in an envelope.
func (it *Item) EnvelopeItem() protocol.Item {
	switch it.Category {
	case protocol.CategoryTransaction:
		return protocol.Item{Type: protocol.ItemTransaction, ContentType: protocol.ContentTypeJSON, Payload: it.Payload}
	case protocol.CategoryLogItem:
		return protocol.Item{
			Type:        protocol.ItemLog,
			ContentType: protocol.ContentTypeLogs,
			Count:       it.Count,
			Payload:     it.Payload,
		}
	default:
		return protocol.Item{Type: protocol.ItemEvent, ContentType: protocol.ContentTypeJSON, Payload: it.Payload}
	}
}
