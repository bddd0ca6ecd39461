//go:build ignore

// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchexporter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync/atomic"

	"github.com/opensearch-project/opensearch-go/v4"
	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// directFlushBytes is the size from which a request is sent, as in the stock indexer.
const directFlushBytes = 5e6

// lastDirect is the size of the latest request: the next one is about as large.
var lastDirect atomic.Int64

// directPush is what pushTraceData does for an exporter whose HTTP client has a middleware. The requests are the same
// to the byte, and so is what happens to items that fail. It differs in what it costs: the stock code encodes by
// reflection, passes each document through a channel, and clears 5 MB for each request.
type directPush struct {
	exporter *ssoTracesExporter
	failures *traceBulkIndexer // collects the errors
	td       ptrace.Traces
	encoder  *spanEncoder
	action   []byte
	body     []byte
	sent     []spanPlace // the spans in body
}

// spanPlace is where a span is in the batch.
type spanPlace struct{ resource, scope, span int }

func (s *ssoTracesExporter) pushDirect(ctx context.Context, index string, td ptrace.Traces) error {
	action, err := json.Marshal(map[string]map[string]string{s.bulkAction: {"_index": index}})
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	d := &directPush{
		exporter: s,
		failures: newTraceBulkIndexer(index, s.bulkAction, s.model),
		td:       td,
		encoder:  newSpanEncoder(s.Dataset, s.Namespace),
		action:   append(action, '\n'),
		body:     make([]byte, 0, lastDirect.Load()*5/4+4096),
	}
	d.push(ctx)
	return d.failures.joinedError()
}

func (d *directPush) push(ctx context.Context) {
	for i, rs := range d.td.ResourceSpans().All() {
		d.encoder.setResource(rs.Resource())
		for j, ss := range rs.ScopeSpans().All() {
			d.encoder.setScope(ss.Scope(), ss.SchemaUrl())
			for k, span := range ss.Spans().All() {
				if !d.add(rs.Resource(), ss.Scope(), ss.SchemaUrl(), span) {
					continue
				}
				d.sent = append(d.sent, spanPlace{i, j, k})
				if len(d.body) >= directFlushBytes {
					d.flush(ctx)
				}
			}
		}
	}
	if len(d.sent) > 0 {
		d.flush(ctx)
	}
}

// add appends a span. What the encoder does not know is encoded by the stock code.
func (d *directPush) add(
	resource pcommon.Resource, scope pcommon.InstrumentationScope, schemaURL string, span ptrace.Span,
) bool {
	d.body = append(d.body, d.action...)
	start := len(d.body)
	var ok bool
	if d.body, ok = d.encoder.append(d.body, span); !ok {
		document, err := d.exporter.model.encodeTrace(resource, scope, schemaURL, span)
		if err != nil {
			d.body = d.body[:start-len(d.action)]
			d.failures.appendPermanentError(err)
			return false
		}
		d.body = append(d.body[:start], document...)
	}
	d.body = append(d.body, '\n')
	return true
}

// flush sends the body. A request that fails is a permanent error, as in the stock code: the middleware has retried it.
func (d *directPush) flush(ctx context.Context) {
	body := d.body
	lastDirect.Store(int64(len(body)))
	d.body = make([]byte, 0, 4096) // the client may read the old one until its connection is closed
	sent := d.sent
	d.sent = d.sent[:0]
	if err := d.send(ctx, body, sent); err != nil {
		d.failures.appendPermanentError(err)
	}
}

func (d *directPush) send(ctx context.Context, body []byte, sent []spanPlace) error {
	req := opensearchapi.BulkReq{Body: bytes.NewReader(body)}
	resp, err := d.exporter.client.Client.Do(ctx, req, nil)
	if err != nil {
		return err
	}
	if resp.IsError() {
		return opensearch.ParseError(resp)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var outcome struct {
		Errors bool `json:"errors"`
	}
	if err := json.Unmarshal(answer, &outcome); err != nil || !outcome.Errors {
		return err
	}
	var result opensearchapi.BulkResp
	if err := json.Unmarshal(answer, &result); err != nil {
		return err
	}
	if len(result.Items) != len(sent) {
		return errors.New("the bulk response has another number of items than the request")
	}
	for i, item := range result.Items {
		for _, info := range item {
			if info.Error != nil || info.Status > 201 {
				d.failures.processItemFailure(info, nil, d.trace(sent[i]))
			}
		}
	}
	return nil
}

func (d *directPush) trace(at spanPlace) ptrace.Traces {
	rs := d.td.ResourceSpans().At(at.resource)
	ss := rs.ScopeSpans().At(at.scope)
	return makeTrace(rs.Resource(), rs.SchemaUrl(), ss.Scope(), ss.SchemaUrl(), ss.Spans().At(at.span))
}
