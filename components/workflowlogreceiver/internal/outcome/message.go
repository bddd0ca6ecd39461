// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

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

// FromMessage converts a message into what the tracker follows: something that begins and ends. Dify writes a message
// when the model begins to answer, and its usage when the answer ends.
func FromMessage(m source.Message) Outcome {
	o := Outcome{
		Run: source.Run{Key: m.Key, AppID: m.AppID, Status: difysemconv.StatusRunning, TriggeredFrom: triggerAppRun},
	}
	if m.InvokeFrom == debugger {
		o.TriggeredFrom = triggerDebugging
	}
	counted := m.Model != "" && m.WorkflowRunID == "" // a chatflow's calls are counted by its run
	if counted && m.InputTokens == 0 && m.Output == 0 && m.Latency == 0 && m.Status == messageNormal {
		return o
	}
	o.Status = difysemconv.StatusSucceeded
	o.FinishedAt = m.CreatedAt.Add(max(Elapsed(m.Latency), time.Nanosecond))
	if counted {
		o.Usage = Usage{
			Input:  max(m.InputTokens, 0),
			Output: max(m.Output, 0),
			Model:  Model{Name: m.Model, Provider: m.Provider},
		}
		o.Usage.Charge(m.Currency, m.Price)
	}
	return o
}

// FromMessages returns the outcomes of messages.
func FromMessages(messages []source.Message) []Outcome {
	outcomes := make([]Outcome, len(messages))
	for i, message := range messages {
		outcomes[i] = FromMessage(message)
	}
	return outcomes
}
