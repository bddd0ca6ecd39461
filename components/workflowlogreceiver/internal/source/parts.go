// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package source

import "errors"

// Part is a part of what the receiver reads that a Dify may lack, or that the role may not read. The receiver works
// without it.
type Part string

// The parts. Their values are labels of a metric.
const (
	PartMessages      Part = "messages"
	PartMessageErrors Part = "message_errors"
	PartFailedNodes   Part = "failed_nodes"
	PartPauses        Part = "pauses"
	PartPauseReasons  Part = "pause_reasons"
	PartForms         Part = "human_input_forms"
	PartDocuments     Part = "documents"
	PartTriggerLogs   Part = "trigger_logs"
	PartTriggers      Part = "triggers"
	PartFeedback      Part = "feedback"
)

// ErrAbsent means that a table does not exist.
var ErrAbsent = errors.New("the table does not exist")

// OptionalPart is what has to be readable for a part.
type OptionalPart struct {
	Part   Part
	Tables []TableColumns
	Effect string // what is left out without it
}

// OptionalParts are all parts, each after those that it needs.
var OptionalParts = []OptionalPart{
	{
		PartMessages,
		[]TableColumns{{
			"messages",
			"id, created_at, app_id, model_provider, model_id, message_tokens, answer_tokens, " +
				"total_price, currency, provider_response_latency, status, invoke_from, workflow_run_id",
		}},
		"chat, agent and completion apps are not counted, and their failures are not reported",
	},
	{
		PartMessageErrors,
		[]TableColumns{{"messages", "conversation_id, from_end_user_id, from_account_id, error"}},
		"records of failed messages have neither the error nor the conversation and the user",
	},
	{
		PartFailedNodes,
		[]TableColumns{{"workflow_node_executions", "workflow_run_id, id, node_id, node_type, title, status, error, index"}},
		"records of failed runs do not name the node that failed",
	},
	{
		PartPauses,
		[]TableColumns{{"workflow_pauses", "id, workflow_run_id, created_at, resumed_at"}},
		"it is not known since when a paused run waits",
	},
	{
		PartPauseReasons,
		[]TableColumns{{"workflow_pause_reasons", "pause_id, type, node_id"}},
		"it is not known for what a paused run waits",
	},
	{
		PartForms,
		[]TableColumns{{"human_input_forms", "workflow_run_id, status, expiration_time"}},
		"it is not known when the form of a paused run expires",
	},
	{
		PartDocuments,
		[]TableColumns{{"documents", "indexing_status, created_at"}},
		"documents are not counted by the status of their indexing",
	},
	{
		PartTriggerLogs,
		[]TableColumns{{"workflow_trigger_logs", "status, created_at"}},
		"the logs of triggers are not counted by status",
	},
	{PartTriggers, []TableColumns{{"app_triggers", "status"}}, "triggers are not counted by status"},
	{
		PartFeedback,
		[]TableColumns{{"message_feedbacks", "conversation_id, rating, from_source"}},
		"feedback is not counted",
	},
}

// ProbeParts returns the parts that cannot be read, and why. probe separates an error of a table (fault) from an error
// of the connection (err).
func ProbeParts(probe func(TableColumns) (fault, err error)) (off map[Part]error, err error) {
	off = map[Part]error{}
	for _, optional := range OptionalParts {
		for _, table := range optional.Tables {
			fault, err := probe(table)
			if err != nil {
				return nil, err
			}
			if fault != nil && off[optional.Part] == nil {
				off[optional.Part] = fault
			}
		}
	}
	return off, nil
}

// ColumnsOf returns the columns of the first table of a part.
func ColumnsOf(part Part) string {
	for _, optional := range OptionalParts {
		if optional.Part == part {
			return optional.Tables[0].Columns
		}
	}
	return ""
}
