// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// OpenSearch is a test double of an OpenSearch node. It keeps documents by index and id, and templates, policies and
// settings by path.
type OpenSearch struct {
	mux *http.ServeMux

	// mu guards the fields below.
	mu      sync.Mutex
	indices map[string]map[string]json.RawMessage
	setup   map[string]json.RawMessage
	counts  OpenSearchCounts
	fail    int
	watch   func(Document)
}

// OpenSearchCounts counts the requests to an OpenSearch.
type OpenSearchCounts struct {
	Bulks     int // _bulk requests, including refused ones
	Documents int // documents that exist now
	Conflicts int // creates that returned 409 because the id existed
	Rejected  int // items and whole requests refused as malformed
	Failed    int // requests that SetFailing refused
}

// Document is a stored document.
type Document struct {
	Index  string          `json:"_index"`
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
}

// NewOpenSearch returns an empty node.
func NewOpenSearch() *OpenSearch {
	o := &OpenSearch{
		mux:     http.NewServeMux(),
		indices: map[string]map[string]json.RawMessage{},
		setup:   map[string]json.RawMessage{},
	}
	o.mux.HandleFunc("GET /{$}", o.info)
	o.mux.HandleFunc("POST /_bulk", o.bulk)
	o.mux.HandleFunc("PUT /_bulk", o.bulk)
	o.mux.HandleFunc("POST /{index}/_bulk", o.bulk)
	o.mux.HandleFunc("GET /_cat/indices", o.catIndices)
	o.mux.HandleFunc("GET /_cat/plugins", o.catPlugins)
	o.mux.HandleFunc("GET /_cluster/health", o.health)
	o.mux.HandleFunc("GET /{index}/_search", o.search)
	o.mux.HandleFunc("POST /{index}/_search", o.search)
	o.mux.HandleFunc("GET /{index}/_count", o.countIndex)
	o.mux.HandleFunc("GET /{index}/_doc/{id}", o.document)
	o.mux.HandleFunc("POST /{index}/_refresh", o.refresh)
	o.mux.HandleFunc("/", o.settings)
	return o
}

// ServeHTTP responds as an OpenSearch node does.
func (o *OpenSearch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := o.failing(); status != 0 {
		writeError(w, status, "service_unavailable", "configured to fail")
		return
	}
	o.mux.ServeHTTP(w, r)
}

// OnDocument registers f, which is called with each stored document before the response. Call it before the first
// request. f must not call the OpenSearch.
func (o *OpenSearch) OnDocument(f func(Document)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watch = f
}

// SetFailing makes every request return status, without effect. 0 ends it.
func (o *OpenSearch) SetFailing(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = status
}

func (o *OpenSearch) failing() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != 0 {
		o.counts.Failed++
	}
	return o.fail
}

// Counts returns the counts so far.
func (o *OpenSearch) Counts() OpenSearchCounts {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.counts
	for _, docs := range o.indices {
		c.Documents += len(docs)
	}
	return c
}

// Count returns the number of documents in the indices whose name begins with prefix.
func (o *OpenSearch) Count(prefix string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for index, docs := range o.indices {
		if strings.HasPrefix(index, prefix) {
			n += len(docs)
		}
	}
	return n
}

// Documents returns the documents of all indices whose name begins with prefix, ordered by index and id.
func (o *OpenSearch) Documents(prefix string) []Document {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []Document
	for _, index := range slices.Sorted(maps.Keys(o.indices)) {
		if !strings.HasPrefix(index, prefix) {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(o.indices[index])) {
			out = append(out, Document{Index: index, ID: id, Source: o.indices[index][id]})
		}
	}
	return out
}

// Indices returns the names of the indices that have a document, sorted.
func (o *OpenSearch) Indices() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.indices))
}

// Setup returns the body that was put under a path, such as /_index_template/NAME, and whether there is one.
func (o *OpenSearch) Setup(path string) (json.RawMessage, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	body, ok := o.setup[path]
	return body, ok
}
