// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package record builds log records from the outcomes of runs. It does no I/O.
package record

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	serviceName           = "dify"
	attrServiceName       = "service.name"
	attrServiceInstanceID = "service.instance.id"

	// attrNestedTokens is the part of a run's total_tokens that was used by workflows called as tools. Up to Dify 1.17
	// those workflows are reported as runs of their own.
	attrNestedTokens = "dify.usage.nested_tokens" //nolint:gosec // a name
	// attrNodeAppID is the app of the failed node, if it is of a called workflow.
	attrNodeAppID = "dify.node.app_id"
)

// NewResource returns the resource of everything that is read from the database with that address.
func NewResource(address string) pcommon.Resource {
	resource := pcommon.NewResource()
	resource.Attributes().PutStr(attrServiceName, serviceName)
	resource.Attributes().PutStr(attrServiceInstanceID, instanceID(address))
	return resource
}

// Events are the outcomes to build records of.
type Events struct {
	Ended, Stuck, Unknown, Waiting []*outcome.Outcome
	Messages                       []*outcome.Outcome // that ended with an error
}

// Len returns the number of records.
func (e Events) Len() int {
	return len(e.Ended) + len(e.Stuck) + len(e.Unknown) + len(e.Waiting) + len(e.Messages)
}

// Builder builds log records.
type Builder struct {
	Resource    pcommon.Resource
	Scope       pcommon.InstrumentationScope
	MaxRunAge   time.Duration
	OutcomeWait time.Duration
}

// Build returns one record for each event. A record of the same event has the same UID and, except for its observed
// time, the same content each time: so arrival has to be of the same day each time. It replaces a time that is none.
func (r *Builder) Build(t Events, observed, arrival time.Time) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	r.Resource.CopyTo(rl.Resource())
	sl := rl.ScopeLogs().AppendEmpty()
	r.Scope.CopyTo(sl.Scope())
	records := sl.LogRecords()
	records.EnsureCapacity(t.Len())
	for _, run := range t.Ended {
		record := records.AppendEmpty()
		record.SetTimestamp(
			timestampOf(arrival, run.FinishedAt, run.CreatedAt.Add(outcome.Elapsed(run.ElapsedTime)), run.CreatedAt),
		)
		setSeverity(record, severities[run.Status])
		record.Body().SetStr(endedBody(run))
		fillRecord(record, difysemconv.EventWorkflowRun, run.ID, run, observed)
		putRun(record.Attributes(), run)
	}
	for _, run := range t.Stuck {
		record := records.AppendEmpty()
		record.SetTimestamp(timestampOf(arrival, run.CreatedAt.Add(r.MaxRunAge), run.CreatedAt))
		setSeverity(record, plog.SeverityNumberWarn)
		record.Body().SetStr(fmt.Sprintf("Workflow run%s has not ended within %s", ofApp(run), r.MaxRunAge))
		fillRecord(record, difysemconv.EventWorkflowStuck, run.ID, run, observed)
		putRun(record.Attributes(), run)
	}
	for _, run := range t.Unknown {
		record := records.AppendEmpty()
		record.SetTimestamp(timestampOf(arrival, run.CreatedAt))
		setSeverity(record, plog.SeverityNumberWarn)
		record.Body().
			SetStr(fmt.Sprintf("Workflow run%s is not in the database, %s after its app log", ofApp(run), r.OutcomeWait))
		fillRecord(record, difysemconv.EventWorkflowUnknown, run.AppLog.ID, run, observed)
	}
	for _, run := range t.Waiting {
		r.buildWaiting(records.AppendEmpty(), run, observed, arrival)
	}
	for _, message := range t.Messages {
		buildMessage(records.AppendEmpty(), message, observed, arrival)
	}
	for _, record := range records.All() {
		offerArrival(record, arrival)
	}
	return logs
}

// plausibleAge is the distance from which on a record's own time may be without an index: no back end keeps less.
const plausibleAge = 24 * time.Hour

// offerArrival notes the arrival of a record with an old or a future time. dify_filter decides whether it is needed.
func offerArrival(record plog.LogRecord, arrival time.Time) {
	if age := arrival.Sub(record.Timestamp().AsTime()); age > plausibleAge || age < -plausibleAge {
		record.Attributes().PutStr(difysemconv.AttrArrivalTime, arrival.UTC().Format(time.RFC3339))
	}
}

var severities = map[string]plog.SeverityNumber{
	difysemconv.StatusSucceeded:        plog.SeverityNumberInfo,
	difysemconv.StatusPartialSucceeded: plog.SeverityNumberWarn,
	difysemconv.StatusStopped:          plog.SeverityNumberWarn,
	difysemconv.StatusFailed:           plog.SeverityNumberError,
}

func setSeverity(record plog.LogRecord, severity plog.SeverityNumber) {
	if severity == plog.SeverityNumberUnspecified {
		severity = plog.SeverityNumberWarn // a status that Dify did not have when this was written
	}
	record.SetSeverityNumber(severity)
	record.SetSeverityText(severity.String())
}

func endedBody(run *outcome.Outcome) string {
	took := strconv.FormatFloat(max(run.ElapsedTime, 0), 'f', 3, 64)
	return "Workflow run" + ofApp(run) + " ended as " + run.Status + " after " + took + " s"
}

func ofApp(run *outcome.Outcome) string {
	if run.App.Name == "" {
		return ""
	}
	return " of " + strconv.Quote(run.App.Name)
}

func fillRecord(record plog.LogRecord, event, id string, run *outcome.Outcome, observed time.Time) {
	record.SetEventName(event)
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(observed))
	attrs := record.Attributes()
	attrs.EnsureCapacity(33)
	attrs.PutStr(difysemconv.AttrEventName, event) // the stock OpenSearch exporter drops the field
	attrs.PutStr(difysemconv.AttrLogRecordUID, UID(event, id))
	putIdentity(attrs, run)
}

func putIdentity(attrs pcommon.Map, run *outcome.Outcome) {
	putStr(attrs, difysemconv.AttrWorkflowAppLogID, run.AppLog.ID)
	putStr(attrs, difysemconv.AttrTenantID, run.TenantID)
	putStr(attrs, difysemconv.AttrWorkspaceName, run.Workspace)
	putStr(attrs, difysemconv.AttrAppID, run.AppID)
	putStr(attrs, difysemconv.AttrAppName, run.App.Name)
	putStr(attrs, difysemconv.AttrAppMode, run.App.Mode)
	putStr(attrs, difysemconv.AttrWorkflowID, run.WorkflowID)
	putStr(attrs, difysemconv.AttrWorkflowRunID, run.ID)
	putStr(attrs, difysemconv.AttrCreatedFrom, run.AppLog.CreatedFrom)
	putStr(attrs, difysemconv.AttrCreatedByRole, role(run.CreatedByRole))
	putStr(attrs, difysemconv.AttrCreatedBy, run.CreatedBy)
}

// role returns the current spelling of a role; old rows have a dash.
func role(stored string) string {
	if stored == "end-user" {
		return "end_user"
	}
	return stored
}

func putRun(attrs pcommon.Map, run *outcome.Outcome) {
	attrs.PutStr(difysemconv.AttrRunStatus, run.Status)
	putStr(attrs, difysemconv.AttrRunType, run.Type)
	putStr(attrs, difysemconv.AttrRunTriggeredFrom, run.TriggeredFrom)
	if !math.IsNaN(run.ElapsedTime) && !math.IsInf(run.ElapsedTime, 0) { // JSON cannot represent either
		attrs.PutDouble(difysemconv.AttrRunElapsedTime, run.ElapsedTime)
	}
	attrs.PutInt(difysemconv.AttrRunTotalTokens, run.TotalTokens)
	attrs.PutInt(difysemconv.AttrRunTotalSteps, run.TotalSteps)
	attrs.PutInt(difysemconv.AttrRunExceptionsCount, run.ExceptionsCount)
	putStr(attrs, difysemconv.AttrRunError, run.Error)
	putStr(attrs, difysemconv.AttrNodeID, run.Failed.ID)
	putStr(attrs, difysemconv.AttrNodeType, run.Failed.Type)
	putStr(attrs, difysemconv.AttrNodeTitle, run.Failed.Title)
	putStr(attrs, difysemconv.AttrNodeExecutionID, run.Failed.ExecutionID)
	putStr(attrs, difysemconv.AttrNodeError, run.Failed.Error)
	if source.IsCalled(run.AppID, run.Failed.AppID, run.Failed.TriggeredFrom) {
		putStr(attrs, attrNodeAppID, run.Failed.AppID)
	}
	putTimes(attrs, run)
	if run.Usage.Nested > 0 {
		attrs.PutInt(attrNestedTokens, run.Usage.Nested)
	}
	if len(run.Usage.Prices) == 1 {
		attrs.PutDouble(difysemconv.AttrUsageTotalPrice, run.Usage.Prices[0].Amount)
		attrs.PutStr(difysemconv.AttrUsageCurrency, run.Usage.Prices[0].Currency)
	}
}

// The range of time that an OpenTelemetry timestamp and the indexes of the back ends can represent.
var (
	firstTimestamp = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)
	lastTimestamp  = time.Date(2261, 1, 1, 0, 0, 0, 0, time.UTC)
)

func isTime(t time.Time) bool { return t.After(firstTimestamp) && t.Before(lastTimestamp) }

// putTimes omits and names a time that is not one, such as PostgreSQL's infinity.
func putTimes(attrs pcommon.Map, run *outcome.Outcome) {
	var invalid []string
	for _, at := range []struct {
		key, column string
		time        time.Time
	}{
		{difysemconv.AttrRunCreatedAt, "created_at", run.CreatedAt},
		{difysemconv.AttrRunFinishedAt, "finished_at", run.FinishedAt},
	} {
		switch {
		case isTime(at.time):
			attrs.PutStr(at.key, at.time.Format(time.RFC3339Nano))
		case at.column == "created_at" || !at.time.IsZero(): // a run that has not finished has no finished_at
			invalid = append(invalid, at.column)
		}
	}
	if len(invalid) > 0 {
		attrs.PutStr(difysemconv.AttrRunInvalidTimes, strings.Join(invalid, ","))
	}
}

// timestampOf returns the first candidate that is representable, or the arrival.
func timestampOf(arrival time.Time, candidates ...time.Time) pcommon.Timestamp {
	for _, t := range candidates {
		if isTime(t) {
			return pcommon.NewTimestampFromTime(t)
		}
	}
	return pcommon.NewTimestampFromTime(arrival)
}

// putStr omits an unknown value.
func putStr(attrs pcommon.Map, key, value string) {
	if value != "" {
		attrs.PutStr(key, value)
	}
}
