// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/admission"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/scan"
)

const (
	contentTypeProtobuf = "application/x-protobuf"
	contentTypeJSON     = "application/json"

	// retryAfter is the number of seconds after which a client should send a request again.
	retryAfter = "1"

	// largestPooled is the size of the largest body whose buffer is kept for another request.
	largestPooled = 1 << 20
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// signals are the default paths of the receiver.
var signals = map[string]scan.Signal{"/v1/traces": scan.Traces, "/v1/metrics": scan.Metrics, "/v1/logs": scan.Logs}

// GetHTTPHandler returns the middleware of an HTTP server. It runs after the server has authenticated the client,
// limited the size of the body and decompressed it.
func (g *guard) GetHTTPHandler(context.Context) (extensionmiddleware.WrapHTTPHandlerFunc, error) {
	return func(_ context.Context, next http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serveHTTP(w, r, next) }), nil
	}, nil
}

func (g *guard) serveHTTP(w http.ResponseWriter, r *http.Request, next http.Handler) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	json := mediaType == contentTypeJSON
	signal, ok := signals[r.URL.Path]
	if !ok {
		g.rejectHTTP(w, r, json, unknownSignal, unsupported)
		return
	}
	if r.Method != http.MethodPost || !json && mediaType != contentTypeProtobuf {
		r.Body = http.NoBody // the receiver rejects it without reading the body
		next.ServeHTTP(w, r)
		return
	}
	g.boundReceipt(w, r)
	reserved := g.memory.NewReservation()
	defer reserved.Release()
	// The length is known of a body that is not compressed. A small one need not be read.
	if length := r.ContentLength; !json && length >= 0 && g.harmless(scan.Worst(int(length)), reserved) {
		g.pass(w, r, signal, next)
		return
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		buf.Reset()
		buffers.Put(buf)
	}()
	body, err := g.receive(w, r, buf, reserved)
	rejected := rejectionOf(err)
	if rejected == nil {
		rejected = g.admit(signal, json, body, reserved)
	}
	if rejected != nil {
		reserved.Release() // sending the response may take a while
		g.rejectHTTP(w, r, json, signal, rejected)
		return
	}
	r.Body = &receivedBody{Reader: *bytes.NewReader(body)}
	r.ContentLength = int64(len(body))
	g.pass(w, r, signal, next)
}

// pass passes a request on to the receiver, which finds what is malformed if the request was not scanned.
func (g *guard) pass(w http.ResponseWriter, r *http.Request, signal scan.Signal, next http.Handler) {
	recorder := &statusRecorder{ResponseWriter: w}
	next.ServeHTTP(recorder, r)
	if recorder.status == http.StatusBadRequest {
		g.counter.rejected(r.Context(), signal, malformed)
	}
}

// receive reads the body, and reserves memory as it arrives: what a client announces costs the client nothing. A body
// that fits is in buf.
func (g *guard) receive(
	w http.ResponseWriter, r *http.Request, buf *bytes.Buffer, reserved *admission.Reservation,
) ([]byte, error) {
	var evicted atomic.Bool
	if r.ContentLength < 0 { // compressed, or in chunks
		slot, err := g.slots.Acquire(r.Context(), func() {
			evicted.Store(true)
			endRead(w)
		})
		if err != nil {
			return nil, err
		}
		defer slot.Release()
	}
	reader := &reservingReader{unread: r.Body, reserved: reserved}
	_, err := buf.ReadFrom(io.LimitReader(reader, largestPooled))
	body := buf.Bytes()
	if err == nil && len(body) == largestPooled {
		body, err = io.ReadAll(io.MultiReader(buf, reader))
	}
	if err == nil {
		return body, r.Body.Close()
	}
	w.Header().Set("Connection", "close")
	switch {
	case evicted.Load():
		err = errEvicted
	case g.stopping():
		err = errStopping
	case errors.Is(err, errNoMemory):
		reserved.Release()
		_, _ = io.Copy(io.Discard, r.Body) // a client that is still sending would not see the response
	}
	return nil, err
}

// rejectHTTP responds as the receiver does.
func (g *guard) rejectHTTP(w http.ResponseWriter, r *http.Request, json bool, s scan.Signal, rejected *rejection) {
	g.counter.rejected(r.Context(), s, rejected)
	contentType, marshal := contentTypeProtobuf, proto.Marshal
	if json {
		contentType, marshal = contentTypeJSON, protojson.Marshal
	}
	message, _ := marshal(rejected.status().Proto()) // never fails: it is ASCII
	w.Header().Set("Content-Type", contentType)
	if rejected.retryable() {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(rejected.http)
	_, _ = w.Write(message)
}

// reservingReader reserves memory for what is read.
type reservingReader struct {
	unread   io.Reader
	reserved *admission.Reservation
	length   int64
}

func (r *reservingReader) Read(p []byte) (int, error) {
	n, err := r.unread.Read(p)
	r.length += int64(n)
	if !r.reserved.Grow(bodyCopies * r.length) {
		return n, errNoMemory
	}
	return n, err
}

// receivedBody is a body as the receiver reads it. It is garbage as soon as the receiver has it.
type receivedBody struct{ bytes.Reader }

// Read reads what the receiver has not read yet.
func (b *receivedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.Len() == 0 {
		b.Reset(nil)
	}
	return n, err
}

// Close does nothing.
func (*receivedBody) Close() error { return nil }

// statusRecorder remembers the status of the response.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader is part of http.ResponseWriter.
func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap is used by http.ResponseController.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
