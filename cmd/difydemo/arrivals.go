// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/testkit/traffic"
)

// Prefixes of index names.
const (
	runIndex   = "workflow-logs"
	traceIndex = "dify-traces"
)

// arrivals inspects and counts each item as it reaches a back end.
type arrivals struct {
	// mu guards the fields below.
	mu     sync.Mutex
	runs   map[string]*arrivedRun
	spans  int
	strays int // documents that are neither a known run nor a span
	leaks  int // items with confidential content
}

// arrivedRun is an emitted run and what has arrived of it.
type arrivedRun struct {
	want     map[string]string // attributes that its document must have
	recorded bool              // its document arrived with these attributes
	traced   bool              // a span with its id arrived
}

func newArrivals() *arrivals {
	return &arrivals{runs: map[string]*arrivedRun{}}
}

// expect registers a run before any of its rows is written.
func (a *arrivals) expect(r *traffic.Run) {
	want := map[string]string{
		"dify.tenant_id": r.Run.TenantID, "dify.app_id": r.Run.AppID, "dify.workflow_id": r.Run.WorkflowID,
		"dify.workspace.name": r.Workspace, "dify.app.name": r.App, "dify.workflow_run.status": r.Outcome.Status,
	}
	if r.Log != nil {
		want["dify.workflow_app_log.id"] = r.Log.ID
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs[r.Run.ID] = &arrivedRun{want: want}
}

// document counts a document that OpenSearch stored.
func (a *arrivals) document(d sink.Document) {
	var doc struct {
		Attributes map[string]any `json:"attributes"`
	}
	_ = json.Unmarshal(d.Source, &doc) // a document without attributes is a stray
	id, _ := doc.Attributes["dify.workflow_run_id"].(string)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.search(d.Source)
	run := a.runs[id]
	switch {
	case strings.HasPrefix(d.Index, traceIndex):
		a.spans++
		if run != nil {
			run.traced = true
		}
	case strings.HasPrefix(d.Index, runIndex) && run != nil && !run.recorded && run.matches(doc.Attributes):
		run.recorded = true
	default:
		a.strays++
	}
}

// matches reports whether a run's document has the attributes of its tenant, app and row.
func (r *arrivedRun) matches(attributes map[string]any) bool {
	for key, want := range r.want {
		if attributes[key] != want {
			return false
		}
	}
	return true
}

// sentryItem inspects the payload of an item that Sentry accepted.
func (a *arrivals) sentryItem(payload []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.search(payload)
}

// search looks for content that no destination may receive. The caller holds mu.
func (a *arrivals) search(item []byte) {
	if bytes.Contains(item, []byte(traffic.Confidential)) {
		a.leaks++
	}
}

// arrived are the counts so far.
type arrived struct {
	spans, strays, leaks, recorded, traced int
}

func (a *arrivals) counts() arrived {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := arrived{spans: a.spans, strays: a.strays, leaks: a.leaks}
	for _, r := range a.runs {
		if r.recorded {
			c.recorded++
		}
		if r.traced {
			c.traced++
		}
	}
	return c
}
