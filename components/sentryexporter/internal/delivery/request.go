// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// request is what a queue contains: finished items, so that a retry sends exactly those that are left, under the same
// IDs.
type request struct {
	items []*item.Item
	// firstTry is when this process first tried to send.
	firstTry time.Time
}

var _ xexporterhelper.RequestErrorHandler = (*request)(nil)

// ItemsCount counts as the collector's own metrics do: spans and log records; an event counts as one.
func (r *request) ItemsCount() int {
	n := 0
	for _, it := range r.items {
		n += max(it.Count, it.Spans)
	}
	return n
}

// BytesSize returns the size of the payloads.
func (r *request) BytesSize() int {
	n := 0
	for _, it := range r.items {
		n += it.Size
	}
	return n
}

// OnError returns a request with the items that are left to send.
func (r *request) OnError(err error) xexporterhelper.Request {
	if left, ok := errors.AsType[*leftError](err); ok {
		return &request{items: left.items, firstTry: r.firstTry}
	}
	return r
}

// MergeSplit is for `sending_queue::batch`, which the configuration rejects: an envelope contains one event.
func (*request) MergeSplit(
	context.Context, int, exporterhelper.RequestSizerType, xexporterhelper.Request,
) ([]xexporterhelper.Request, error) {
	return nil, errors.New("batching is not supported")
}

// leftError is a temporary failure, with the items that are left to send.
type leftError struct {
	cause error
	items []*item.Item
}

func (e *leftError) Error() string { return e.cause.Error() }
func (e *leftError) Unwrap() error { return e.cause }

// encodingVersion is the first byte of a stored request.
const encodingVersion = '1'

// Encoding stores a request as its version, followed by a line of JSON and the payload of each item. Queues on disk are
// written in this form: a change needs another version, and must still read this one.
type Encoding struct{}

// Marshal encodes a request.
func (Encoding) Marshal(_ context.Context, r xexporterhelper.Request) ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte(encodingVersion)
	enc := json.NewEncoder(&buf)
	for _, it := range r.(*request).items {
		if err := enc.Encode(it); err != nil {
			return nil, fmt.Errorf("encode queued item: %w", err)
		}
		buf.Write(it.Payload)
	}
	return buf.Bytes(), nil
}

// Unmarshal decodes a request.
func (Encoding) Unmarshal(b []byte) (context.Context, xexporterhelper.Request, error) {
	r := &request{}
	if len(b) == 0 || b[0] != encodingVersion {
		return context.Background(), r, errors.New("queued item was written by another version of the sentry exporter")
	}
	for b = b[1:]; len(b) > 0; {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return context.Background(), r, errors.New("queued item is truncated")
		}
		it := &item.Item{}
		if err := json.Unmarshal(line, it); err != nil {
			return context.Background(), r, fmt.Errorf("decode queued item: %w", err)
		}
		if it.Size < 0 || it.Size > len(rest) {
			return context.Background(), r, errors.New("queued item is truncated")
		}
		it.Payload, b = rest[:it.Size], rest[it.Size:]
		r.items = append(r.items, it)
	}
	return context.Background(), r, nil
}
