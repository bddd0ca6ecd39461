// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
)

// releaseGrace is what all requests together get to be answered once the collector stops. What has no answer then is
// stored, and what comes later is stored at once: a big batch reaches us as many requests, one after the other.
const releaseGrace = 2 * time.Second

// storeRetry is the pause before storing is tried again.
const storeRetry = time.Second

var errStopped = errors.New("opensearch_bulk: the extension is stopped")

// roundTripper stands in the exporter's HTTP client, after compression and login, before the transport.
type roundTripper struct {
	ext  *bulkExtension
	base http.RoundTripper
}

// RoundTrip answers a bulk request with success for every document, once each is delivered, a dead letter or stored. An
// error would be no use: the exporter makes a permanent one of it and drops the batch. It returns one only when the
// caller has gone away, or when the request is none that it understands.
func (rt *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if !isBulk(req) {
		return rt.base.RoundTrip(req)
	}
	encoding := strings.ToLower(req.Header.Get("Content-Encoding"))
	body, err := readBody(req, encoding)
	if err != nil {
		return nil, err
	}
	items, err := rt.ext.rewriter.rewrite(body, urlIndex(req.URL.Path))
	if err != nil {
		return nil, err
	}
	template := req.Clone(context.WithoutCancel(req.Context()))
	template.Body, template.GetBody = http.NoBody, nil // what is kept must not keep the documents
	template.URL.RawQuery = bulkQuery(template.URL.Query())
	template.Header.Set("Accept-Encoding", "identity") // what is left of an answer is not worth the packing
	to := &exporterTarget{base: rt.base, req: template, encoding: encoding}
	rt.ext.seen(to)
	if err := rt.ext.deliverOrStore(req.Context(), to, items); err != nil {
		return nil, err
	}
	return success(req, len(items)), nil
}

func isBulk(req *http.Request) bool {
	return (req.Method == http.MethodPost || req.Method == http.MethodPut) && req.Body != nil && strings.HasSuffix(req.URL.Path, "/_bulk")
}

// urlIndex is the index in a path like `/prefix/index/_bulk`. Where the path is a bare prefix, its name is taken for one;
// that has no effect, since the exporter names the index in every action.
func urlIndex(path string) string {
	path = strings.TrimSuffix(path, "/_bulk")
	return path[strings.LastIndexByte(path, '/')+1:]
}

func readBody(req *http.Request, encoding string) ([]byte, error) {
	defer req.Body.Close()
	if req.ContentLength > 0 && (encoding == "" || encoding == encodingIdentity) {
		body := make([]byte, req.ContentLength)
		_, err := io.ReadFull(req.Body, body)
		return body, err
	}
	return decode(encoding, req.Body)
}

// deliverOrStore delivers items, or stores those that could not be delivered in the time that was left.
func (e *bulkExtension) deliverOrStore(ctx context.Context, to target, items []item) error {
	bounded, cancel := e.untilCutoff(ctx)
	defer cancel()
	left := items
	if e.setup.wait(bounded, e.releasing) {
		left = e.deliverer.deliver(bounded, to, items)
	}
	if len(left) == 0 {
		return nil
	}
	// Stopping, or a deadline that the operator gave: the exporter can't send again, so the documents are kept here.
	if _, deadline := ctx.Deadline(); e.releasing.Err() == nil && ctx.Err() != nil && !deadline {
		return ctx.Err()
	}
	return e.persist(ctx, left)
}

// untilCutoff is ctx, and ends when the grace after the collector began to stop is over.
func (e *bulkExtension) untilCutoff(ctx context.Context) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(e.cutoff, cancel)
	if e.cutoff.Err() != nil {
		cancel() // now: AfterFunc takes its time
	}
	return bounded, func() {
		stop()
		cancel()
	}
}

// persist writes items to storage. While that fails it goes on trying and gives no answer: the exporter's queue then still
// has the batch, even if the collector has to be killed. It is called because ctx has ended or soon will, which must not stop it.
func (e *bulkExtension) persist(ctx context.Context, items []item) error {
	ctx = context.WithoutCancel(ctx)
	for failed := false; ; failed = true {
		err := e.deliverer.store.put(ctx, items)
		if err == nil {
			e.deliverer.telemetry.OpensearchBulkItems.Add(ctx, int64(len(items)), outcomeStored.option())
			return nil
		}
		if !failed {
			e.logger.Error("Documents can't be stored: their requests stay open until they can, and the exporter's queue keeps them", zap.Error(err))
		}
		select {
		case <-time.After(storeRetry):
		case <-e.life.Done():
			return errStopped
		}
	}
}
