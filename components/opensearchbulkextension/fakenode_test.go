// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
)

// fakeNode behaves like an OpenSearch node towards bulk requests: `create` of an id that exists is a conflict. Faults
// are used in order, one per request; when none is left, requests succeed.
type fakeNode struct {
	*httptest.Server

	mu     sync.Mutex
	docs   map[string]map[string]string // index → id → document
	writes map[string]int               // index/id → how often it was created
	faults []fault
	calls  int
	judge  func(index, id, doc string) (status int, kind string) // nil: everything is fine
	other  http.HandlerFunc                                      // what is not a bulk request
}

// fault responds to a request instead of the node and returns true, or lets it pass.
type fault func(n *fakeNode, w http.ResponseWriter, r *http.Request, body []byte) bool

func newFakeNode(t *testing.T, faults ...fault) *fakeNode {
	t.Helper()
	n := &fakeNode{docs: map[string]map[string]string{}, writes: map[string]int{}, faults: faults}
	n.Server = httptest.NewUnstartedServer(http.HandlerFunc(n.serve))
	n.Config.ErrorLog = nil
	n.Start()
	t.Cleanup(n.Close)
	return n
}

func (n *fakeNode) serve(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/_bulk") {
		if n.other != nil {
			n.other(w, r)
		}
		return
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	body, err := bulkapi.Decode(r.Header.Get("Content-Encoding"), bytes.NewReader(raw))
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
	if next != nil && next(n, w, r, body) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(n.index(body))
}

// index stores the documents of a bulk body and returns the response.
func (n *fakeNode) index(body []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	failed := false
	items := []any{}
	for len(body) > 0 {
		var action, doc []byte
		action, body = bulkapi.CutLine(body)
		doc, body = bulkapi.CutLine(body)
		at, err := bulkapi.ParsePlace(action)
		if err != nil {
			return []byte(
				`{"error":{"type":"illegal_argument_exception","reason":"Malformed action/metadata line"},"status":400}`,
			)
		}
		verb := "index"
		if at.Create {
			verb = "create"
		}
		item := map[string]any{"_index": at.Index, "_id": at.ID}
		status, kind := n.put(at, string(doc))
		item["status"] = status
		if kind != "" {
			failed = true
			item["error"] = map[string]any{"type": kind, "reason": "because of " + string(doc)}
		}
		items = append(items, map[string]any{verb: item})
	}
	response, _ := json.Marshal(map[string]any{"took": 1, "errors": failed, "items": items})
	return response
}

func (n *fakeNode) put(at bulkapi.Place, doc string) (int, string) {
	if n.judge != nil {
		if status, kind := n.judge(at.Index, at.ID, doc); kind != "" {
			return status, kind
		}
	}
	if _, exists := n.docs[at.Index][at.ID]; exists && at.Create {
		return http.StatusConflict, "version_conflict_engine_exception"
	}
	if n.docs[at.Index] == nil {
		n.docs[at.Index] = map[string]string{}
	}
	n.docs[at.Index][at.ID] = doc
	n.writes[at.Index+"/"+at.ID]++
	return http.StatusCreated, ""
}

func (n *fakeNode) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	total := 0
	for _, docs := range n.docs {
		total += len(docs)
	}
	return total
}

func (n *fakeNode) requests() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls
}

func (n *fakeNode) doc(t *testing.T, index, id string) string {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	require.Contains(t, n.docs, index)
	require.Contains(t, n.docs[index], id)
	return n.docs[index][id]
}

// once asserts that exactly these documents (index/id) are there, each written once.
func (n *fakeNode) once(t *testing.T, want ...string) {
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

// status responds with a status and a body.
func status(code int, body string, headers ...string) fault {
	return func(_ *fakeNode, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// reset closes the connection without a response; with storeFirst set, after the documents are stored.
func reset(storeFirst bool) fault {
	return func(n *fakeNode, w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if storeFirst {
			n.index(body)
		}
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return true
	}
}

// hang does not respond until the client gives up.
func hang(_ *fakeNode, _ http.ResponseWriter, r *http.Request, _ []byte) bool {
	<-r.Context().Done()
	return true
}

// tooLarge refuses bodies of more bytes.
func tooLarge(limit int) fault {
	return func(_ *fakeNode, w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if len(body) <= limit {
			return false
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	}
}

// some makes single items fail in one request; nth says which.
func some(code int, kind string, nth func(i int) bool) fault {
	return func(n *fakeNode, w http.ResponseWriter, _ *http.Request, body []byte) bool {
		i := 0
		n.mu.Lock()
		n.judge = func(string, string, string) (int, string) {
			i++
			if nth(i - 1) {
				return code, kind
			}
			return 0, ""
		}
		n.mu.Unlock()
		response := n.index(body)
		n.mu.Lock()
		n.judge = nil
		n.mu.Unlock()
		_, _ = w.Write(response)
		return true
	}
}
