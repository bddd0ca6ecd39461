// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// RunsOf returns the wanted runs.
func RunsOf(outcomes []outcome.Outcome, wanted func(*source.Run) bool) []*source.Run {
	runs := make([]*source.Run, 0, len(outcomes))
	for i := range outcomes {
		if run := &outcomes[i].Run; wanted(run) {
			runs = append(runs, run)
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
	for _, node := range d.Nodes {
		if i, ok := byRun[node.RunID]; ok && !outcomes[i].Usage.Add(node) {
			unreadable++
		}
	}
	for _, node := range d.Failed {
		if i, ok := byRun[node.RunID]; ok && isCause(&node, &outcomes[i]) {
			outcomes[i].Failed = node
		}
	}
	for i := range outcomes {
		if o := &outcomes[i]; !o.Usage.Reported {
			o.Usage.Total = max(o.TotalTokens, 0)
		}
	}
	return unreadable
}

// isCause reports whether a failed node says better than the one found so far why the run failed. An iteration or loop
// fails because a node in it does. Among several, such as attempts, the last one ended the run.
func isCause(node *source.FailedNode, run *outcome.Outcome) bool {
	known := &run.Failed
	if contains, knownContains := outcome.ContainsNodes(node.Type), outcome.ContainsNodes(known.Type); known.ID != "" &&
		contains != knownContains {
		return knownContains
	}
	return known.ID == "" || node.Index > known.Index || node.Index == known.Index && node.ExecutionID > known.ExecutionID
}
