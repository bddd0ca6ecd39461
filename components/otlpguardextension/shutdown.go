// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// receiptGrace is how long a request that is still being received at a shutdown has to arrive. The stock receiver stops
// when it has answered all requests, so that a client that sends half of one could hold up the shutdown until the
// process is killed, with everything that it has in memory.
const receiptGrace = 5 * time.Second

var errStopping = errors.New("the collector is stopping")

// Ready is part of extensioncapabilities.PipelineWatcher.
func (*guard) Ready() error { return nil }

// NotReady is called before the receivers stop.
func (g *guard) NotReady() error {
	time.AfterFunc(receiptGrace, func() { g.endReceipt(errStopping) })
	return nil
}

// stopping reports whether the time for requests to arrive is over.
func (g *guard) stopping() bool { return g.receipt.Err() != nil }

// whenLate calls end when the time is over, unless received is called before.
func (g *guard) whenLate(end func()) (received func() bool) { return context.AfterFunc(g.receipt, end) }

// boundReceipt lets a body be read only as long as requests may arrive.
func (g *guard) boundReceipt(w http.ResponseWriter, r *http.Request) {
	r.Body = &boundBody{ReadCloser: r.Body, received: g.whenLate(func() { endRead(w) })}
}

// endRead makes the read of a body return.
func endRead(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
}

// boundBody is a body that is being received.
type boundBody struct {
	io.ReadCloser
	received func() bool
}

// Read also notes the end: afterwards a deadline would end the processing of the request.
func (b *boundBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.received()
	}
	return n, err
}
