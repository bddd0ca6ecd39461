// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
)

// buildWaiting builds the record of a run that has waited for MaxRunAge. Each pause of a run has a record of its own.
func (r *Builder) buildWaiting(record plog.LogRecord, run *outcome.Outcome, observed, arrival time.Time) {
	since, id := run.WaitingSince(), run.ID
	if !run.Pause.Since.IsZero() {
		id += "/" + strconv.FormatInt(run.Pause.Since.UnixMicro(), 10)
	}
	waits := " has been paused since "
	if run.WaitsForPerson() {
		waits = " has been waiting for a person since "
	}
	record.SetTimestamp(timestampOf(arrival, since.Add(r.MaxRunAge), since))
	setSeverity(record, plog.SeverityNumberInfo)
	record.Body().SetStr("Workflow run" + ofApp(run) + waits + since.UTC().Format(time.RFC3339))
	fillRecord(record, difysemconv.EventWorkflowWaiting, id, run, observed)
	attrs := record.Attributes()
	putRun(attrs, run)
	if isTime(since) {
		attrs.PutStr(difysemconv.AttrPauseSince, since.UTC().Format(time.RFC3339Nano))
	}
	putStr(attrs, difysemconv.AttrPauseReason, run.Pause.Reason)
	putStr(attrs, difysemconv.AttrNodeID, run.Pause.NodeID)
	if isTime(run.Pause.ExpiresAt) {
		attrs.PutStr(difysemconv.AttrPauseExpiresAt, run.Pause.ExpiresAt.UTC().Format(time.RFC3339Nano))
	}
}
