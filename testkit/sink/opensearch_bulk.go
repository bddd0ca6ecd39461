// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// bulkTarget is an action line's content: where a document goes.
type bulkTarget struct {
	Index string `json:"_index"`
	ID    string `json:"_id"`
}

// bulkResult is one item of the response.
type bulkResult struct {
	Index  string     `json:"_index"`
	ID     string     `json:"_id"`
	Status int        `json:"status"`
	Result string     `json:"result,omitempty"`
	Error  *bulkError `json:"error,omitempty"`
}

type bulkError struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

type bulkItem struct {
	action string
	target bulkTarget
	source []byte
}

func (o *OpenSearch) bulk(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	items, err := readBulk(r)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts.Bulks++
	if err != nil {
		o.counts.Rejected++
		writeError(w, http.StatusBadRequest, "illegal_argument_exception", err.Error())
		return
	}
	results := make([]map[string]bulkResult, len(items))
	failed := false
	for i, item := range items {
		res := o.keep(item)
		failed = failed || res.Error != nil
		results[i] = map[string]bulkResult{item.action: res}
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"took": time.Since(start).Milliseconds(), "errors": failed, "items": results,
	})
}

// readBulk reads a whole request before any of it is stored, as OpenSearch does.
func readBulk(r *http.Request) ([]bulkItem, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	all, err := lines(body)
	if err != nil {
		return nil, err
	}
	var items []bulkItem
	for i := 0; i < len(all); i += 2 {
		item, err := readAction(all[i], r.PathValue("index"))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if i+1 == len(all) {
			return nil, fmt.Errorf("line %d: an action without a document", i+1)
		}
		item.source = all[i+1]
		items = append(items, item)
	}
	return items, nil
}

func readAction(line []byte, defaultIndex string) (bulkItem, error) {
	var action map[string]bulkTarget
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&action); err != nil {
		return bulkItem{}, fmt.Errorf("malformed action: %w", err)
	}
	if len(action) != 1 {
		return bulkItem{}, errors.New("malformed action: expected one field")
	}
	name := slices.Collect(maps.Keys(action))[0]
	if name != "create" && name != "index" {
		return bulkItem{}, fmt.Errorf("action %q is not supported here", name)
	}
	target := action[name]
	if target.Index == "" {
		target.Index = defaultIndex
	}
	if target.Index == "" {
		return bulkItem{}, errors.New("malformed action: no index")
	}
	return bulkItem{action: name, target: target}, nil
}

// keep stores one document. The caller holds mu.
func (o *OpenSearch) keep(item bulkItem) bulkResult {
	res := bulkResult{Index: item.target.Index, ID: item.target.ID}
	if res.ID == "" {
		res.ID = uuid.NewString()
	}
	if !isObject(item.source) {
		o.counts.Rejected++
		res.Status, res.Error = http.StatusBadRequest, &bulkError{"mapper_parsing_exception", "failed to parse"}
		return res
	}
	docs := o.indices[res.Index]
	if docs == nil {
		docs = map[string]json.RawMessage{}
		o.indices[res.Index] = docs
	}
	_, exists := docs[res.ID]
	if exists && item.action == "create" {
		o.counts.Conflicts++
		res.Status, res.Error = http.StatusConflict, &bulkError{
			"version_conflict_engine_exception",
			"[" + res.ID + "]: version conflict, document already exists",
		}
		return res
	}
	docs[res.ID] = slices.Clone(item.source)
	if o.watch != nil {
		o.watch(Document{Index: res.Index, ID: res.ID, Source: docs[res.ID]})
	}
	res.Status, res.Result = http.StatusCreated, "created"
	if exists {
		res.Status, res.Result = http.StatusOK, "updated"
	}
	return res
}

func isObject(text []byte) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal(text, &object) == nil && object != nil
}
