// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// target is a way to OpenSearch.
type target interface {
	// send posts a bulk request. The caller closes the answer's body.
	send(ctx context.Context, body []byte) (*http.Response, error)
}

// exporterTarget goes the exporter's way: its transport, its address, its headers. It lives in memory only.
type exporterTarget struct {
	base     http.RoundTripper
	req      *http.Request // a template; its body is gone
	encoding string
}

func (t *exporterTarget) send(ctx context.Context, body []byte) (*http.Response, error) {
	encoded, err := encode(t.encoding, body)
	if err != nil {
		return nil, err
	}
	req := t.req.Clone(ctx)
	req.ContentLength = int64(len(encoded))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(encoded)), nil }
	req.Body = io.NopCloser(bytes.NewReader(encoded))
	return t.base.RoundTrip(req)
}

// bulkQuery adds to a bulk request's query what is wanted of the answer.
func bulkQuery(query url.Values) string {
	if query == nil {
		query = url.Values{}
	}
	query.Set("filter_path", responseFilter)
	return query.Encode()
}

// ownTarget goes through a client of the extension's own.
type ownTarget struct {
	client   *http.Client
	endpoint string
	header   http.Header // of every request
}

func newOwnTarget(client *http.Client, endpoint string) *ownTarget {
	return &ownTarget{client: client, endpoint: strings.TrimRight(endpoint, "/")}
}

func (t *ownTarget) send(ctx context.Context, body []byte) (*http.Response, error) {
	return t.do(ctx, http.MethodPost, "/_bulk?"+bulkQuery(nil), "application/x-ndjson", body)
}

func (t *ownTarget) do(ctx context.Context, method, path, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, t.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, t.header)
	req.Header.Set("Content-Type", contentType)
	return t.client.Do(req)
}
