// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"crypto/sha1" //nolint:gosec // a name, nothing secret
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const (
	serviceName           = "dify"
	attrServiceName       = "service.name"
	attrServiceInstanceID = "service.instance.id"

	// attrNestedTokens is the part of a run's total_tokens that was used by workflows called as tools. Those workflows
	// are reported as runs of their own.
	attrNestedTokens = "dify.usage.nested_tokens" //nolint:gosec // a name
)

// namespace is the root of the IDs made here. It must never change: a record's stable ID makes its redelivery the same
// document.
var namespace = uuid.MustParse("5b6f2f6e-3a0c-5d0b-9a55-0c3f6b1f7d11")

// recordUID equals uuid.NewSHA1 of event/id, without its allocations.
func recordUID(event, id string) string {
	name := append(make([]byte, 0, 128), namespace[:]...)
	name = append(append(append(name, event...), '/'), id...)
	sum := sha1.Sum(name) //nolint:gosec // see the import
	uid := uuid.UUID(sum[:16])
	uid[6] = uid[6]&0x0f | 5<<4 // the version
	uid[8] = uid[8]&0x3f | 0x80 // the variant
	return uid.String()
}

// instanceID is the same after a restart and on any machine: the series and records of one database belong together.
func instanceID(address string) string {
	return uuid.NewSHA1(namespace, []byte(address)).String()
}

func newResource(cfg *Config) pcommon.Resource {
	resource := pcommon.NewResource()
	resource.Attributes().PutStr(attrServiceName, serviceName)
	resource.Attributes().PutStr(attrServiceInstanceID, instanceID(cfg.address()))
	return resource
}

// recorder builds log records from runs.
type recorder struct {
	resource    pcommon.Resource
	scope       pcommon.InstrumentationScope
	maxRunAge   time.Duration
	outcomeWait time.Duration
}

func (r *recorder) records(t events, observed time.Time) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	r.resource.CopyTo(rl.Resource())
	sl := rl.ScopeLogs().AppendEmpty()
	r.scope.CopyTo(sl.Scope())
	records := sl.LogRecords()
	records.EnsureCapacity(t.records())
	for _, run := range t.ended {
		record := records.AppendEmpty()
		record.SetTimestamp(timestampOf(observed, run.FinishedAt, run.CreatedAt.Add(elapsed(run.ElapsedTime)), run.CreatedAt))
		setSeverity(record, severities[run.Status])
		record.Body().SetStr(endedBody(run))
		fillRecord(record, difysemconv.EventWorkflowRun, run.ID, run, observed)
		putRun(record.Attributes(), run)
	}
	for _, run := range t.stuck {
		record := records.AppendEmpty()
		record.SetTimestamp(timestampOf(observed, run.CreatedAt.Add(r.maxRunAge), run.CreatedAt))
		setSeverity(record, plog.SeverityNumberWarn)
		record.Body().SetStr(fmt.Sprintf("Workflow run%s has not ended within %s", ofApp(run), r.maxRunAge))
		fillRecord(record, difysemconv.EventWorkflowStuck, run.ID, run, observed)
		putRun(record.Attributes(), run)
	}
	for _, run := range t.unknown {
		record := records.AppendEmpty()
		record.SetTimestamp(timestampOf(observed, run.CreatedAt))
		setSeverity(record, plog.SeverityNumberWarn)
		record.Body().SetStr(fmt.Sprintf("Workflow run%s is not in the database, %s after its app log", ofApp(run), r.outcomeWait))
		fillRecord(record, difysemconv.EventWorkflowUnknown, run.appLog.ID, run, observed)
	}
	return logs
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

func endedBody(run *outcome) string {
	took := strconv.FormatFloat(max(run.ElapsedTime, 0), 'f', 3, 64)
	return "Workflow run" + ofApp(run) + " ended as " + run.Status + " after " + took + " s"
}

func ofApp(run *outcome) string {
	if run.app.Name == "" {
		return ""
	}
	return " of " + strconv.Quote(run.app.Name)
}

func fillRecord(record plog.LogRecord, event, id string, run *outcome, observed time.Time) {
	record.SetEventName(event)
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(observed))
	attrs := record.Attributes()
	attrs.EnsureCapacity(28)
	attrs.PutStr(difysemconv.AttrEventName, event) // the stock OpenSearch exporter drops the field
	attrs.PutStr(difysemconv.AttrLogRecordUID, recordUID(event, id))
	putIdentity(attrs, run)
}

func putIdentity(attrs pcommon.Map, run *outcome) {
	putStr(attrs, difysemconv.AttrWorkflowAppLogID, run.appLog.ID)
	putStr(attrs, difysemconv.AttrTenantID, run.TenantID)
	putStr(attrs, difysemconv.AttrWorkspaceName, run.workspace)
	putStr(attrs, difysemconv.AttrAppID, run.AppID)
	putStr(attrs, difysemconv.AttrAppName, run.app.Name)
	putStr(attrs, difysemconv.AttrAppMode, run.app.Mode)
	putStr(attrs, difysemconv.AttrWorkflowID, run.WorkflowID)
	putStr(attrs, difysemconv.AttrWorkflowRunID, run.ID)
	putStr(attrs, difysemconv.AttrCreatedFrom, run.appLog.CreatedFrom)
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

func putRun(attrs pcommon.Map, run *outcome) {
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
	attrs.PutStr(difysemconv.AttrRunCreatedAt, run.CreatedAt.Format(time.RFC3339Nano))
	if !run.FinishedAt.IsZero() {
		attrs.PutStr(difysemconv.AttrRunFinishedAt, run.FinishedAt.Format(time.RFC3339Nano))
	}
	if run.usage.nested > 0 {
		attrs.PutInt(attrNestedTokens, run.usage.nested)
	}
	if len(run.usage.prices) == 1 {
		attrs.PutDouble(difysemconv.AttrUsageTotalPrice, run.usage.prices[0].amount)
		attrs.PutStr(difysemconv.AttrUsageCurrency, run.usage.prices[0].currency)
	}
}

// elapsed returns a run's duration, or 0 if the number is not a valid duration.
func elapsed(seconds float64) time.Duration {
	if !(seconds >= 0 && seconds < math.MaxInt64/float64(time.Second)) {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// The range of time that an OpenTelemetry timestamp and the indexes of the back ends can represent.
var (
	firstTimestamp = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)
	lastTimestamp  = time.Date(2261, 1, 1, 0, 0, 0, 0, time.UTC)
)

// timestampOf returns the first candidate that is representable. While any candidate is, the result does not depend on
// when a run is reported: otherwise a redelivery would go to another day's index.
func timestampOf(observed time.Time, candidates ...time.Time) pcommon.Timestamp {
	for _, t := range candidates {
		if t.After(firstTimestamp) && t.Before(lastTimestamp) {
			return pcommon.NewTimestampFromTime(t)
		}
	}
	return pcommon.NewTimestampFromTime(observed)
}
