// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// RunsOf returns the wanted runs.
func RunsOf(outcomes []outcome.Outcome, wanted func(*outcome.Outcome) bool) []*source.Run {
	runs := make([]*source.Run, 0, len(outcomes))
	for i := range outcomes {
		if wanted(&outcomes[i]) {
			runs = append(runs, &outcomes[i].Run)
		}
	}
	return runs
}

// Fill sets the app log, the tokens, the price and the node that failed. It returns the number of node executions that
// cannot be read.
func Fill(d source.Details, outcomes []outcome.Outcome) (unreadable int) {
	byRun := make(map[string]int, len(outcomes))
	for i := range outcomes {
		byRun[outcomes[i].ID] = i
	}
	for i := range d.AppLogs {
		l := &d.AppLogs[i]
		// A run has one app log. If there are several, the choice is the same at each redelivery.
		if i, ok := byRun[l.RunID]; ok && (outcomes[i].AppLog.ID == "" || l.ID < outcomes[i].AppLog.ID) {
			outcomes[i].AppLog = *l
		}
	}
	nodes := map[string][]source.Node{}
	for _, node := range d.Nodes {
		nodes[node.RunID] = append(nodes[node.RunID], node)
	}
	for id, of := range nodes {
		if i, ok := byRun[id]; ok {
			unreadable += outcomes[i].Usage.AddAll(outcomes[i].AppID, of)
		}
	}
	failed := map[string][]source.FailedNode{}
	for _, node := range d.Failed {
		failed[node.RunID] = append(failed[node.RunID], node)
	}
	for id, of := range failed {
		if i, ok := byRun[id]; ok {
			outcomes[i].Failed = cause(outcomes[i].AppID, of)
		}
	}
	for i := range outcomes {
		if o := &outcomes[i]; !o.Usage.Reported {
			o.Usage.Total = max(o.TotalTokens, 0)
		}
	}
	return unreadable
}

// cause returns the failed node that says best why a run of an app failed. Nodes of called workflows are compared only
// with one another, since each workflow has an order of its own, and only if the node that failed can have called one:
// when a run ends, Dify sets all nodes to failed that were in progress.
func cause(app string, failed []source.FailedNode) source.FailedNode {
	var own, called source.FailedNode
	for i := range failed {
		best, contains := &own, outcome.ContainsNodes
		if source.IsCalled(app, failed[i].AppID, failed[i].TriggeredFrom) {
			best, contains = &called, outcome.CallsWorkflows
		}
		if isCause(&failed[i], best, contains) {
			*best = failed[i]
		}
	}
	if called.ID != "" && (own.ID == "" || outcome.CallsWorkflows(own.Type)) {
		return called
	}
	return own
}

// isCause reports whether a failed node says better than the known one why the run failed. What contains other nodes
// fails because a node in it does. Among several, such as attempts, the last one ended the run.
func isCause(node, known *source.FailedNode, contains func(nodeType string) bool) bool {
	if known.ID != "" && contains(node.Type) != contains(known.Type) {
		return contains(known.Type)
	}
	return known.ID == "" || node.Index > known.Index || node.Index == known.Index && node.ExecutionID > known.ExecutionID
}
