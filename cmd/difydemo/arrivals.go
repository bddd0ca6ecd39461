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

// Indices begin with these.
const (
	runIndex   = "workflow-logs"
	traceIndex = "dify-traces"
)

// arrivals looks at each item as it reaches a back end and counts what it finds.
type arrivals struct {
	// mu guards what follows.
	mu     sync.Mutex
	runs   map[string]*arrivedRun
	spans  int
	strays int // documents that are neither a known run nor a span
	leaks  int // items with something confidential in them
}

// arrivedRun is a run that was emitted, and what came of it.
type arrivedRun struct {
	want   map[string]string // attributes that its document must have
	told   bool              // its document arrived, and was right
	traced bool              // a span with its id arrived
}

func newArrivals() *arrivals {
	return &arrivals{runs: map[string]*arrivedRun{}}
}

// expect notes a run before any of its rows is written.
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

// document takes a document that OpenSearch kept.
func (a *arrivals) document(d sink.Document) {
	var doc struct {
		Attributes map[string]any `json:"attributes"`
	}
	_ = json.Unmarshal(d.Source, &doc) // without attributes it is a stray
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
	case strings.HasPrefix(d.Index, runIndex) && run != nil && !run.told && run.matches(doc.Attributes):
		run.told = true
	default:
		a.strays++
	}
}

// matches demands that a run's document belongs to its tenant, its app and its row.
func (r *arrivedRun) matches(attributes map[string]any) bool {
	for key, want := range r.want {
		if attributes[key] != want {
			return false
		}
	}
	return true
}

// sentryItem takes the payload of an item that Sentry took.
func (a *arrivals) sentryItem(payload []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.search(payload)
}

// search looks for what no destination may see. The caller holds mu.
func (a *arrivals) search(item []byte) {
	if bytes.Contains(item, []byte(traffic.Confidential)) {
		a.leaks++
	}
}

// arrived is what was counted so far.
type arrived struct {
	spans, strays, leaks, told, traced int
}

func (a *arrivals) counts() arrived {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := arrived{spans: a.spans, strays: a.strays, leaks: a.leaks}
	for _, r := range a.runs {
		if r.told {
			c.told++
		}
		if r.traced {
			c.traced++
		}
	}
	return c
}
