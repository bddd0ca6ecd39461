// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// item is one finished item of an envelope, on its way through the queue. Its JSON form is what a persistent queue
// stores, beside the payload.
type item struct {
	Category protocol.Category `json:"category"` // error, transaction or log_item
	EventID  string            `json:"event_id,omitempty"`
	Route    routeKey          `json:"route"`
	Time     time.Time         `json:"time"`            // of the event; of the newest record among logs
	Count    int               `json:"count"`           // of log records; 1 else
	Spans    int               `json:"spans,omitempty"` // of a transaction, its root included
	Size     int               `json:"size"`            // of the payload

	payload    []byte
	mark       identifier   // under which the item is remembered as told
	marks      []identifier // of log records
	run        string       // the failed workflow run that this tells
	supersedes []string     // the workflow runs whose exception this is
}

// quantities are what an item counts for, by category.
func (it *item) quantities() map[protocol.Category]int64 {
	switch it.Category {
	case protocol.CategoryTransaction:
		return map[protocol.Category]int64{protocol.CategoryTransaction: 1, protocol.CategorySpan: int64(it.Spans)}
	case protocol.CategoryLogItem:
		return map[protocol.Category]int64{protocol.CategoryLogItem: int64(it.Count), protocol.CategoryLogByte: int64(it.Size)}
	default:
		return map[protocol.Category]int64{it.Category: 1}
	}
}

// limitedBy are the categories whose rate limit stops the item at the server's door.
func (it *item) limitedBy() []protocol.Category {
	if it.Category == protocol.CategoryLogItem {
		return []protocol.Category{protocol.CategoryLogItem, protocol.CategoryLogByte}
	}
	return []protocol.Category{it.Category}
}

func (it *item) envelopeItem() protocol.Item {
	switch it.Category {
	case protocol.CategoryTransaction:
		return protocol.Item{Type: protocol.ItemTransaction, ContentType: protocol.ContentTypeJSON, Payload: it.payload}
	case protocol.CategoryLogItem:
		return protocol.Item{Type: protocol.ItemLog, ContentType: protocol.ContentTypeLogs, Count: it.Count, Payload: it.payload}
	default:
		return protocol.Item{Type: protocol.ItemEvent, ContentType: protocol.ContentTypeJSON, Payload: it.payload}
	}
}
