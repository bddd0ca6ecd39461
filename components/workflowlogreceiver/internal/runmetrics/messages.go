// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
)

type messageLabels struct {
	InvokeFrom string `json:"invoke_from,omitempty"`
	Status     string `json:"status,omitempty"`
}

// The overflow counts all messages under the status "", and in addition those of each known status.
var messageStatuses = []string{outcome.MessageNormal, outcome.MessageError}

// EnsureMessageSeries creates an app's series, with value 0, as soon as one of its messages is seen. A message without
// a model may turn out to belong to a run.
func (m *Metrics) EnsureMessageSeries(message *outcome.Outcome, now time.Time) {
	if message.IsMessage() && message.Message.Model != "" {
		m.ensureMessageSeries(message, now)
	}
}

func (m *Metrics) ensureMessageSeries(message *outcome.Outcome, now time.Time) (*appMetrics, messageLabels) {
	a := m.app(LabelsOf(message))
	labels := messageLabels{InvokeFrom: outcome.InvokerLabel(message.Message.InvokeFrom)}
	if a.labels.Overflow {
		labels = messageLabels{}
		a.message(labels, now)
	}
	for _, status := range messageStatuses {
		a.message(messageLabels{labels.InvokeFrom, status}, now)
	}
	return a, labels
}

// AddMessage adds a message that has ended, and its usage. The message of a chatflow is not counted: its run is.
func (m *Metrics) AddMessage(message *outcome.Outcome, now time.Time) {
	if !message.IsMessage() {
		return
	}
	a, labels := m.ensureMessageSeries(message, now)
	a.changed = true
	if a.labels.Overflow {
		a.message(labels, now).add(message.ElapsedTime)
	}
	labels.Status = outcome.MessageStatusLabel(message.Message.Status)
	if !a.labels.Overflow || labels.Status != outcome.Other {
		a.message(labels, now).add(message.ElapsedTime)
	}
	m.AddUsage(message, now)
}

func (a *appMetrics) message(labels messageLabels, now time.Time) *duration {
	return durationOf(a, a.msgs, labels, now)
}

func (l messageLabels) put(attrs pcommon.Map, overflow bool) {
	if !overflow {
		attrs.PutStr(difysemconv.AttrMessageStatus, l.Status)
		attrs.PutStr(difysemconv.AttrMessageInvokeFrom, l.InvokeFrom)
	}
}
