// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Content types of items that hold several records.
const (
	ContentTypeJSON = "application/json"
	ContentTypeLogs = "application/vnd.sentry.items.log+json"
)

// Types of items.
const (
	ItemEvent       = "event"
	ItemTransaction = "transaction"
	ItemLog         = "log"
	ItemReport      = "client_report"
)

// Item of an envelope.
type Item struct {
	Type        string
	ContentType string
	Count       int // of records, for items that hold several
	Payload     []byte
}

type itemHeader struct {
	Type        string `json:"type"`
	ContentType string `json:"content_type,omitempty"`
	ItemCount   int    `json:"item_count,omitempty"`
	Length      int    `json:"length"`
}

type envelopeHeader struct {
	EventID string    `json:"event_id,omitempty"`
	SentAt  time.Time `json:"sent_at"`
}

// usualHeader is more than the length of a header.
const usualHeader = 128

// Envelope frames the items. sentAt is the time of this attempt: Sentry moves all times of an envelope whose sent_at is
// old.
func Envelope(eventID string, sentAt time.Time, items ...Item) ([]byte, error) {
	size := usualHeader
	for _, item := range items {
		size += usualHeader + len(item.Payload)
	}
	buf := bytes.NewBuffer(make([]byte, 0, size))
	enc := json.NewEncoder(buf) // ends each header with the line break that the format wants
	if err := enc.Encode(envelopeHeader{EventID: eventID, SentAt: sentAt.UTC()}); err != nil {
		return nil, fmt.Errorf("encode envelope header: %w", err)
	}
	for _, item := range items {
		header := itemHeader{Type: item.Type, ContentType: item.ContentType, ItemCount: item.Count, Length: len(item.Payload)}
		if err := enc.Encode(header); err != nil {
			return nil, fmt.Errorf("encode item header: %w", err)
		}
		buf.Write(item.Payload)
		buf.WriteByte('\n')
	}
	return buf.Bytes(), nil
}
