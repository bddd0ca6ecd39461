// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// openSearchVersion is the version that the node reports.
const openSearchVersion = "3.3.0"

func (*OpenSearch) info(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"name": "difydemo", "cluster_name": "difydemo", "cluster_uuid": "difydemo",
		"version": map[string]string{
			"distribution": "opensearch", "number": openSearchVersion,
			"minimum_wire_compatibility_version": "2.19.0", "minimum_index_compatibility_version": "2.0.0",
		},
		"tagline": "The OpenSearch Project: https://opensearch.org/",
	})
}

func (*OpenSearch) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"cluster_name": "difydemo", "status": "green", "number_of_nodes": 1})
}

// catPlugins lists no plugin: the ISM and security plugins, for example, are not installed.
func (*OpenSearch) catPlugins(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, []any{})
}

func (o *OpenSearch) catIndices(w http.ResponseWriter, _ *http.Request) {
	list := []map[string]string{}
	for _, index := range o.Indices() {
		list = append(list, map[string]string{
			"index": index, "health": "green", "status": "open", "docs.count": strconv.Itoa(o.countMatching(index)),
		})
	}
	writeJSON(w, http.StatusOK, list)
}

func (o *OpenSearch) countIndex(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"count": o.countMatching(r.PathValue("index"))})
}

// search ignores the query: it returns the first `size` documents (default 10) of the named indices.
func (o *OpenSearch) search(w http.ResponseWriter, r *http.Request) {
	hits := o.matching(r.PathValue("index"))
	size, err := strconv.Atoi(r.FormValue("size"))
	if err != nil || size < 0 {
		size = 10
	}
	writeJSON(w, http.StatusOK, map[string]any{"hits": map[string]any{
		"total": map[string]any{"value": len(hits), "relation": "eq"},
		"hits":  hits[:min(size, len(hits))],
	}})
}

func (o *OpenSearch) document(w http.ResponseWriter, r *http.Request) {
	index, id := r.PathValue("index"), r.PathValue("id")
	o.mu.Lock()
	source, ok := o.indices[index][id]
	o.mu.Unlock()
	if !ok {
		writeJSON(w, http.StatusNotFound, map[string]any{"_index": index, "_id": id, "found": false})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"_index": index, "_id": id, "found": true, "_source": source})
}

func (*OpenSearch) refresh(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"_shards": map[string]int{"total": 1, "successful": 1, "failed": 0}})
}

// settings stores every other PUT, and returns it for GET and HEAD of the same path. There is no plugin.
func (o *OpenSearch) settings(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_plugins/") {
		writeJSON(w, http.StatusBadRequest, map[string]string{
			"error": "no handler found for uri [" + r.URL.Path + "] and method [" + r.Method + "]",
		})
		return
	}
	switch r.Method {
	case http.MethodPut:
		body, err := readBody(r)
		if err != nil || (len(body) > 0 && !json.Valid(body)) {
			writeError(w, http.StatusBadRequest, "parse_exception", "request body is not JSON")
			return
		}
		o.mu.Lock()
		o.setup[r.URL.Path] = body
		o.mu.Unlock()
		writeJSON(w, http.StatusOK, map[string]bool{"acknowledged": true})
	case http.MethodGet, http.MethodHead:
		body, ok := o.Setup(r.URL.Path)
		if !ok {
			writeError(w, http.StatusNotFound, "resource_not_found_exception", r.URL.Path+" does not exist")
			return
		}
		writeJSON(w, http.StatusOK, setupResponse(r.URL.Path, body))
	default:
		writeError(w, http.StatusMethodNotAllowed, "illegal_argument_exception", r.Method+" is not supported here")
	}
}

// setupResponse wraps a stored body as OpenSearch does.
func setupResponse(p string, body json.RawMessage) any {
	name := path.Base(p)
	switch {
	case strings.HasPrefix(p, "/_index_template/"):
		return map[string]any{"index_templates": []any{map[string]any{"name": name, "index_template": body}}}
	case strings.HasPrefix(p, "/_component_template/"):
		return map[string]any{"component_templates": []any{map[string]any{"name": name, "component_template": body}}}
	default:
		return map[string]any{name: body}
	}
}

func (o *OpenSearch) countMatching(patterns string) int {
	return len(o.matching(patterns))
}

// matching returns the documents of the indices in a comma-separated list. Each name may end with *.
func (o *OpenSearch) matching(patterns string) []Document {
	out := []Document{}
	for _, doc := range o.Documents("") {
		for pattern := range strings.SplitSeq(patterns, ",") {
			if ok, _ := path.Match(pattern, doc.Index); ok || pattern == "_all" {
				out = append(out, doc)
				break
			}
		}
	}
	return out
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone, and will retry
}

func writeError(w http.ResponseWriter, status int, kind, reason string) {
	e := map[string]string{"type": kind, "reason": reason}
	writeJSON(w, status, map[string]any{"error": map[string]any{
		"root_cause": []any{e}, "type": kind, "reason": reason,
	}, "status": status})
}
