// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package exporter

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// node behaves like an OpenSearch node towards bulk requests: `create` of an id that exists is a conflict. Faults are
// used in order, one per request; when none is left, requests succeed.
type node struct {
	*httptest.Server

	mu     sync.Mutex
	docs   map[string]string // guarded by mu, as below; index/id → document
	writes map[string]int    // index/id → how often it was created
	faults []fault
	calls  int
}

// fault responds to a request instead of the node and returns true, or lets it pass.
type fault func(n *node, w http.ResponseWriter, body []byte) bool

func newNode(t *testing.T, faults ...fault) *node {
	t.Helper()
	n := &node{docs: map[string]string{}, writes: map[string]int{}, faults: faults}
	n.Server = httptest.NewUnstartedServer(http.HandlerFunc(n.serve))
	n.Config.ErrorLog = nil
	n.Start()
	t.Cleanup(n.Close)
	return n
}

func (n *node) serve(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	n.calls++
	var next fault
	if len(n.faults) > 0 {
		next, n.faults = n.faults[0], n.faults[1:]
	}
	n.mu.Unlock()
	if next != nil && next(n, w, body) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(n.index(body, nil))
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	reader, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// index stores the documents of a bulk request and returns the response. Items for which failed returns true get
// status 429.
func (n *node) index(body []byte, failed func(i int) bool) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	errors := false
	items := []any{}
	for i := 0; len(body) > 0; i++ {
		var action, doc []byte
		action, body, _ = bytes.Cut(body, []byte("\n"))
		doc, body, _ = bytes.Cut(body, []byte("\n"))
		var parsed struct {
			Create struct {
				Index string `json:"_index"`
				ID    string `json:"_id"`
			} `json:"create"`
		}
		if json.Unmarshal(action, &parsed) != nil || parsed.Create.ID == "" {
			return []byte(`{"error":{"type":"illegal_argument_exception","reason":"Malformed action"},"status":400}`)
		}
		item := map[string]any{"status": http.StatusCreated}
		key := parsed.Create.Index + "/" + parsed.Create.ID
		_, exists := n.docs[key]
		switch {
		case failed != nil && failed(i):
			errors = true
			item["status"] = http.StatusTooManyRequests
			item["error"] = map[string]any{"type": "rejected_execution_exception", "reason": "queue is full"}
		case exists:
			errors = true
			item["status"] = http.StatusConflict
			item["error"] = map[string]any{"type": "version_conflict_engine_exception", "reason": "it exists"}
		default:
			n.docs[key] = string(doc)
			n.writes[key]++
		}
		items = append(items, map[string]any{"create": item})
	}
	response, _ := json.Marshal(map[string]any{"took": 1, "errors": errors, "items": items})
	return response
}

func (n *node) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.docs)
}

func (n *node) requests() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls
}

// doc returns the document under index/id.
func (n *node) doc(t *testing.T, key string) string {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	require.Contains(t, n.docs, key)
	return n.docs[key]
}

// once asserts that exactly these documents (index/id) exist, each written once.
func (n *node) once(t *testing.T, want ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	got := make([]string, 0, len(n.writes))
	for key, writes := range n.writes {
		assert.Equal(t, 1, writes, key)
		got = append(got, key)
	}
	assert.ElementsMatch(t, want, got)
}

// status responds with a status and no body.
func status(code int) fault {
	return func(_ *node, w http.ResponseWriter, _ []byte) bool {
		w.WriteHeader(code)
		return true
	}
}

// reset closes the connection without a response; with storeFirst set, after the documents are stored.
func reset(storeFirst bool) fault {
	return func(n *node, w http.ResponseWriter, body []byte) bool {
		if storeFirst {
			n.index(body, nil)
		}
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return true
	}
}

// some lets single items fail for now.
func some(failed func(i int) bool) fault {
	return func(n *node, w http.ResponseWriter, body []byte) bool {
		_, _ = w.Write(n.index(body, failed))
		return true
	}
}
