// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
)

const (
	roleEndUser = "end_user"
	roleAccount = "account"

	// messageException is the type of the exception of a failed message, of which only the text is known.
	messageException = "Error"
)

// buildMessage builds the record of a message that ended with an error. If it belongs to a run, the run's record has
// the failure, and this one is only the link between the two.
func buildMessage(record plog.LogRecord, o *outcome.Outcome, observed, arrival time.Time) {
	m := o.Message
	record.SetEventName(difysemconv.EventMessageRun)
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(observed))
	record.SetTimestamp(timestampOf(arrival, m.CreatedUTC.Add(outcome.Elapsed(m.Latency)), m.CreatedUTC))
	attrs := record.Attributes()
	attrs.EnsureCapacity(26)
	attrs.PutStr(difysemconv.AttrEventName, difysemconv.EventMessageRun)
	attrs.PutStr(difysemconv.AttrLogRecordUID, UID(difysemconv.EventMessageRun, m.ID))
	putMessage(attrs, o)
	if !o.IsMessage() {
		setSeverity(record, plog.SeverityNumberInfo)
		record.Body().SetStr("Message" + ofApp(o) + " ended with an error; the record of its run has the outcome")
		return
	}
	setSeverity(record, plog.SeverityNumberError)
	record.Body().SetStr("Message" + ofApp(o) + " ended with an error")
	attrs.PutStr(string(semconv.ExceptionTypeKey), messageException)
	attrs.PutStr(string(semconv.ExceptionMessageKey), cmp.Or(m.Error, record.Body().Str()))
}

func putMessage(attrs pcommon.Map, o *outcome.Outcome) {
	m := o.Message
	putStr(attrs, difysemconv.AttrTenantID, o.TenantID)
	putStr(attrs, difysemconv.AttrWorkspaceName, o.Workspace)
	putStr(attrs, difysemconv.AttrAppID, o.AppID)
	putStr(attrs, difysemconv.AttrAppName, o.App.Name)
	putStr(attrs, difysemconv.AttrAppMode, o.App.Mode)
	putStr(attrs, difysemconv.AttrWorkflowRunID, m.WorkflowRunID)
	putStr(attrs, difysemconv.AttrMessageID, m.ID)
	putStr(attrs, difysemconv.AttrConversationID, m.ConversationID)
	switch {
	case m.EndUserID != "":
		attrs.PutStr(difysemconv.AttrCreatedByRole, roleEndUser)
		attrs.PutStr(difysemconv.AttrCreatedBy, m.EndUserID)
	case m.AccountID != "":
		attrs.PutStr(difysemconv.AttrCreatedByRole, roleAccount)
		attrs.PutStr(difysemconv.AttrCreatedBy, m.AccountID)
	}
	attrs.PutStr(difysemconv.AttrMessageStatus, m.Status)
	putStr(attrs, difysemconv.AttrMessageInvokeFrom, m.InvokeFrom)
	putStr(attrs, difysemconv.AttrMessageError, m.Error)
	if !math.IsNaN(m.Latency) && !math.IsInf(m.Latency, 0) { // JSON cannot represent either
		attrs.PutDouble(difysemconv.AttrMessageDuration, m.Latency)
	}
	if isTime(m.CreatedUTC) {
		attrs.PutStr(difysemconv.AttrMessageCreatedAt, m.CreatedUTC.Format(time.RFC3339Nano))
	}
	putStr(attrs, string(semconv.GenAIRequestModelKey), m.Model)
	putStr(attrs, string(semconv.GenAIProviderNameKey), m.Provider)
	if o.Usage.Input > 0 || o.Usage.Output > 0 {
		attrs.PutInt(string(semconv.GenAIUsageInputTokensKey), o.Usage.Input)
		attrs.PutInt(string(semconv.GenAIUsageOutputTokensKey), o.Usage.Output)
	}
	if len(o.Usage.Prices) == 1 {
		attrs.PutDouble(difysemconv.AttrUsageTotalPrice, o.Usage.Prices[0].Amount)
		attrs.PutStr(difysemconv.AttrUsageCurrency, o.Usage.Prices[0].Currency)
	}
}
