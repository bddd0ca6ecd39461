// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Content types of items.
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
	Count       int // of records, for items with several
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

// Body is a framed envelope. It refers to the payloads without copying them.
type Body [][]byte

// Len returns the number of bytes.
func (b Body) Len() (n int64) {
	for _, part := range b {
		n += int64(len(part))
	}
	return n
}

// Reader returns a reader of the whole body.
func (b Body) Reader() io.Reader {
	readers := make([]io.Reader, len(b))
	for i, part := range b {
		readers[i] = bytes.NewReader(part)
	}
	return io.MultiReader(readers...)
}

// Envelope frames items. sentAt is the time of this attempt: Sentry shifts all timestamps of an envelope whose
// sent_at is old.
func Envelope(eventID string, sentAt time.Time, items ...Item) (Body, error) {
	var headers bytes.Buffer
	enc := json.NewEncoder(&headers) // ends each header with the line break that the format requires
	if err := enc.Encode(envelopeHeader{EventID: eventID, SentAt: sentAt.UTC()}); err != nil {
		return nil, fmt.Errorf("encode envelope header: %w", err)
	}
	var body Body
	for _, item := range items {
		header := itemHeader{Type: item.Type, ContentType: item.ContentType, ItemCount: item.Count, Length: len(item.Payload)}
		if err := enc.Encode(header); err != nil {
			return nil, fmt.Errorf("encode item header: %w", err)
		}
		body = append(body, bytes.Clone(headers.Bytes()), item.Payload)
		headers.Reset()
		headers.WriteByte('\n')
	}
	return append(body, headers.Bytes()), nil
}
