// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// roundTripper is part of the exporter's HTTP client, after compression and authentication and before the transport.
type roundTripper struct {
	deliverer *Deliverer
	rewriter  *bulkapi.Rewriter
	base      http.RoundTripper
}

// Wrap returns a transport that delivers bulk requests through base, and passes other requests on.
func (d *Deliverer) Wrap(rewriter *bulkapi.Rewriter, base http.RoundTripper) http.RoundTripper {
	return &roundTripper{deliverer: d, rewriter: rewriter, base: base}
}

// RoundTrip responds to a bulk request with success for every document, once each is delivered, a dead letter, or
// stored. An error would not help: the exporter treats it as permanent and drops the batch. RoundTrip returns one
// only if the caller has canceled the request, or if the request is not one that it supports.
func (rt *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if !isBulk(req) {
		return rt.base.RoundTrip(req)
	}
	encoding := strings.ToLower(req.Header.Get("Content-Encoding"))
	body, err := readBody(req, encoding)
	if err != nil {
		return nil, err
	}
	items, err := rt.rewriter.Rewrite(body, urlIndex(req.URL.Path))
	if err != nil {
		return nil, err
	}
	template := req.Clone(context.WithoutCancel(req.Context()))
	template.Body, template.GetBody = http.NoBody, nil // the template outlives the request: it must not keep documents
	template.URL.RawQuery = bulkQuery(template.URL.Query())
	template.Header.Set("Accept-Encoding", "identity") // a filtered response is too small to be worth compressing
	to := &exporterTarget{base: rt.base, req: template, encoding: encoding}
	rt.deliverer.exporters.set(to)
	if err := rt.deliverer.DeliverOrStore(req.Context(), to, items); err != nil {
		return nil, err
	}
	return bulkapi.SuccessResponse(req, len(items)), nil
}

func isBulk(req *http.Request) bool {
	return (req.Method == http.MethodPost || req.Method == http.MethodPut) && req.Body != nil &&
		strings.HasSuffix(req.URL.Path, "/_bulk")
}

// urlIndex returns the index in a path like `/prefix/index/_bulk`. If the path is only a prefix, its name is
// returned; that has no effect, since the exporter names the index in every action.
func urlIndex(path string) string {
	path = strings.TrimSuffix(path, "/_bulk")
	return path[strings.LastIndexByte(path, '/')+1:]
}

func readBody(req *http.Request, encoding string) ([]byte, error) {
	defer req.Body.Close()
	if req.ContentLength > 0 && (encoding == "" || encoding == bulkapi.EncodingIdentity) {
		body := make([]byte, req.ContentLength)
		_, err := io.ReadFull(req.Body, body)
		return body, err
	}
	return bulkapi.Decode(encoding, req.Body)
}
