// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	messageNormal = "normal" // the initial status of a message
	debugger      = "debugger"

	triggerDebugging = "debugging"
	triggerAppRun    = "app-run"
)

// call converts a message into what the tail follows: something that begins and ends. Dify writes a message when the
// model begins to answer, and its usage when the answer ends.
func call(m source.Message) outcome {
	o := outcome{Run: source.Run{Key: m.Key, AppID: m.AppID, Status: difysemconv.StatusRunning, TriggeredFrom: triggerAppRun}}
	if m.InvokeFrom == debugger {
		o.TriggeredFrom = triggerDebugging
	}
	counted := m.Model != "" && m.WorkflowRunID == "" // a chatflow's calls are counted by its run
	if counted && m.InputTokens == 0 && m.Output == 0 && m.Latency == 0 && m.Status == messageNormal {
		return o
	}
	o.Status = difysemconv.StatusSucceeded
	o.FinishedAt = m.CreatedAt.Add(max(elapsed(m.Latency), time.Nanosecond))
	if counted {
		o.usage = usage{
			input:  max(m.InputTokens, 0),
			output: max(m.Output, 0),
			model:  modelLabels{Model: m.Model, Provider: m.Provider},
		}
		o.usage.charge(m.Currency, m.Price)
	}
	return o
}

func calls(messages []source.Message) []outcome {
	outcomes := make([]outcome, len(messages))
	for i, message := range messages {
		outcomes[i] = call(message)
	}
	return outcomes
}
