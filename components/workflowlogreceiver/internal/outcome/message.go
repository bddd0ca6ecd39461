// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// The statuses of a message.
const (
	MessageNormal = "normal" // also while the model answers
	MessageError  = "error"
	MessagePaused = "paused" // it waits for a person
)

const (
	debugger = "debugger"

	triggerDebugging = "debugging"
	triggerAppRun    = "app-run"
)

var invokers = []string{
	"service-api", "openapi", "web-app", "trigger", "explore", debugger, "published", "validation",
}

// FromMessage converts a message into what the tracker follows: something that begins and ends. Dify writes a message
// when the model begins to answer, and its usage or its error when the answer ends.
func FromMessage(m source.Message) Outcome {
	o := Outcome{
		Run: source.Run{
			Key: m.Key, AppID: m.AppID, Status: difysemconv.StatusRunning, TriggeredFrom: triggerAppRun,
			ElapsedTime: m.Latency,
		},
		Message: &m,
	}
	if m.InvokeFrom == debugger {
		o.TriggeredFrom = triggerDebugging
	}
	switch answered := m.InputTokens != 0 || m.Output != 0 || m.Latency != 0; {
	case m.Status == MessageError:
		o.Status = difysemconv.StatusFailed
	case m.Status == MessagePaused:
		o.Status = difysemconv.StatusPaused
		return o
	case answered:
		o.Status = difysemconv.StatusSucceeded
	default:
		return o
	}
	o.FinishedAt = m.CreatedAt.Add(max(Elapsed(m.Latency), time.Nanosecond))
	if m.Model != "" && o.IsMessage() {
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

// IsMessage reports whether this is a message that counts as one. The message of a chatflow has a run, which counts.
func (o *Outcome) IsMessage() bool { return o.Message != nil && o.Message.WorkflowRunID == "" }

// MessageStatusLabel returns the metric label of the status of a message that has ended.
func MessageStatusLabel(status string) string {
	if status == MessageNormal || status == MessageError {
		return status
	}
	return Other
}

// InvokerLabel returns the metric label of a value of invoke_from.
func InvokerLabel(from string) string {
	if slices.Contains(invokers, from) {
		return from
	}
	return Other
}
