// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// attrEventName is the name of an event of Dify's enterprise edition, which it prints as a line or exports.
const attrEventName = "dify.event.name"

// runNames are attributes of the events of runs, which workflow_log's records have too.
var runNames = []name{
	{"dify.workflow.status", difysemconv.AttrRunStatus},
	{"dify.workflow.error", difysemconv.AttrRunError},
}

// ReadEvent gives a record of the enterprise edition the name of its event, the IDs under the names that all have, and
// its trace. Other records stay as they are. It reports whether the record is one.
func ReadEvent(record plog.LogRecord) bool {
	attributes := record.Attributes()
	event := attrs.Text(attributes, attrEventName)
	if event == "" || len(event) > maxName {
		return false
	}
	if record.EventName() == "" {
		record.SetEventName(event)
	}
	attrs.PutAbsent(attributes, difysemconv.AttrEventName, event)
	RenameRecordIDs(attributes)
	if event == difysemconv.EventWorkflowRun {
		for _, n := range runNames {
			if value := attrs.Text(attributes, n.theirs); value != "" {
				attrs.PutAbsent(attributes, n.ours, value)
			}
		}
	}
	if id, err := uuid.Parse(attrs.Text(attributes, attrEnterprise)); err == nil && record.TraceID().IsEmpty() {
		record.SetTraceID(pcommon.TraceID(id))
	}
	return true
}
