// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

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

// request is what the queue holds: finished items, so that a retry sends exactly those that are left, converts nothing
// again and cannot make other ids.
type request struct {
	items []*item.Item
	// firstTry is when sending was tried first by this process.
	firstTry time.Time
}

var _ xexporterhelper.RequestErrorHandler = (*request)(nil)

// ItemsCount counts as the collector's own metrics do: spans and log records; an event is one.
func (r *request) ItemsCount() int {
	n := 0
	for _, it := range r.items {
		n += max(it.Count, it.Spans)
	}
	return n
}

func (r *request) BytesSize() int {
	n := 0
	for _, it := range r.items {
		n += it.Size
	}
	return n
}

// OnError leaves what has not been sent yet.
func (r *request) OnError(err error) xexporterhelper.Request {
	if left, ok := errors.AsType[*leftError](err); ok {
		return &request{items: left.items, firstTry: r.firstTry}
	}
	return r
}

// MergeSplit is for sending_queue::batch, which Validate refuses: an envelope holds one event.
func (*request) MergeSplit(context.Context, int, exporterhelper.RequestSizerType, xexporterhelper.Request) ([]xexporterhelper.Request, error) {
	return nil, errors.New("batching is not supported")
}

// leftError is a failure that may pass, with the items that it concerns.
type leftError struct {
	cause error
	items []*item.Item
}

func (e *leftError) Error() string { return e.cause.Error() }
func (e *leftError) Unwrap() error { return e.cause }

// encodingVersion is the first byte of a stored request. A queue written by a newer version is not guessed at.
const encodingVersion = '1'

// encoding stores a request as a version, then for each item a line of JSON and its payload.
type encoding struct{}

func (encoding) Marshal(_ context.Context, r xexporterhelper.Request) ([]byte, error) {
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

func (encoding) Unmarshal(b []byte) (context.Context, xexporterhelper.Request, error) {
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
