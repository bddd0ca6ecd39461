// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// target is a way to OpenSearch.
type target interface {
	// send posts a bulk request. The caller closes the response's body.
	send(ctx context.Context, body []byte) (*http.Response, error)
}

// exporterTarget uses the exporter's transport, address and headers. It is never stored.
type exporterTarget struct {
	base     http.RoundTripper
	req      *http.Request // a template without a body
	encoding string
}

func (t *exporterTarget) send(ctx context.Context, body []byte) (*http.Response, error) {
	encoded, err := bulkapi.Encode(t.encoding, body)
	if err != nil {
		return nil, err
	}
	req := t.req.Clone(ctx)
	req.ContentLength = int64(len(encoded))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(encoded)), nil }
	req.Body = io.NopCloser(bytes.NewReader(encoded))
	return t.base.RoundTrip(req)
}

// indexTimeout is how long OpenSearch waits for an index, for all documents of a request together. Its default of a
// minute would hold up the documents of other indices.
const indexTimeout = "10s"

// bulkQuery adds to a bulk request's query which parts of the response are needed, and how
// long the documents may wait.
func bulkQuery(query url.Values) string {
	if query == nil {
		query = url.Values{}
	}
	query.Set("filter_path", bulkapi.ResponseFilter)
	query.Set("timeout", indexTimeout)
	return query.Encode()
}

// latestTarget remembers how exporters reach OpenSearch, for replay without a client of the extension's own.
type latestTarget struct {
	latest atomic.Pointer[exporterTarget]
	known  chan struct{} // closed when there is one
	once   sync.Once
}

func (l *latestTarget) set(to *exporterTarget) {
	l.latest.Store(to)
	l.once.Do(func() { close(l.known) })
}

// Client is an HTTP client of the extension's own.
type Client struct {
	client   *http.Client
	endpoint string
	header   http.Header
}

// NewClient returns a Client that sends header with each request; the settings of client take precedence.
func NewClient(client *http.Client, endpoint string, header http.Header) *Client {
	return &Client{client: client, endpoint: strings.TrimRight(endpoint, "/"), header: header}
}

func (c *Client) send(ctx context.Context, body []byte) (*http.Response, error) {
	return c.Do(ctx, http.MethodPost, "/_bulk?"+bulkQuery(nil), "application/x-ndjson", body)
}

// Do sends a request to a path below the endpoint. The caller closes the response's body.
func (c *Client) Do(ctx context.Context, method, path, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, c.header)
	req.Header.Set("Content-Type", contentType)
	return c.client.Do(req)
}
