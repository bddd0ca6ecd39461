// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Ids of the index patterns. All ids have the same prefix, so that no other object has one of them.
const (
	overRuns        = "otelcol-dify-workflow-logs"
	overLogs        = "otelcol-dify-logs"
	overDeadLetters = "otelcol-dify-dead-letters"
)

// Fields of the documents, as the templates map them.
const (
	fieldService   = "resource.service.name"
	fieldCode      = "attributes.http.response.status_code"
	fieldRoute     = "attributes.http.route"
	fieldException = "attributes.exception.type"
	fieldTrace     = "traceId"

	fieldEvent     = "attributes." + difysemconv.AttrEventName
	fieldApp       = "attributes." + difysemconv.AttrAppName
	fieldWorkspace = "attributes." + difysemconv.AttrWorkspaceName
	fieldRun       = "attributes." + difysemconv.AttrWorkflowRunID
	fieldStatus    = "attributes." + difysemconv.AttrRunStatus
	fieldError     = "attributes." + difysemconv.AttrRunError
	fieldElapsed   = "attributes." + difysemconv.AttrRunElapsedTime
	fieldTokens    = "attributes." + difysemconv.AttrRunTotalTokens
)

const endedRuns = fieldEvent + `:"` + difysemconv.EventWorkflowRun + `"`

// Objects returns what people find in OpenSearch Dashboards: index patterns, the workflow log, and searches for
// triage.
func Objects(opts Options) []SavedObject {
	spans := spansOf(opts)
	objects := []SavedObject{
		indexPattern(overRuns, workflowLogs, "@timestamp"),
		indexPattern(overLogs, logs, "@timestamp"),
		indexPattern(spans.indexPattern, spans.pattern, spans.timeField),
		indexPattern(overDeadLetters, strings.TrimRight(opts.DeadLetterIndex, "*")+"*", "@timestamp"),
		spans.errors(), logErrors(), spans.ofARun(), stuckRuns(), deadLetters(),
	}
	return append(objects, workflowLog()...)
}

// workflowLog is the dashboard with its panels.
func workflowLog() []SavedObject {
	byStatus, slowest, tokens := runsByStatus(), slowestApps(), tokensByApp()
	failures, failed := failuresByError(), failedRuns()
	return []SavedObject{
		byStatus,
		slowest,
		failures,
		tokens,
		failed,
		dashboard("otelcol-dify-workflow-log", "Dify: workflow log",
			"Ended runs of Dify's workflows and chatflows.",
			panel{byStatus, 0, 0, 48, 12},
			panel{slowest, 0, 12, 24, 15},
			panel{tokens, 24, 12, 24, 15},
			panel{failures, 0, 27, 48, 13},
			panel{failed, 0, 40, 48, 16},
		),
	}
}

func runsByStatus() SavedObject {
	return stackedBars(query{
		id: "otelcol-dify-runs-by-status", title: "Dify: runs by status", over: overRuns, lucene: endedRuns,
		description: "Runs at the time of their end.",
	}, "Runs",
		runs(),
		overTime(),
		split("group", fieldStatus, "1", "Status", 10),
	)
}

func slowestApps() SavedObject {
	return table(query{
		id: "otelcol-dify-slowest-apps", title: "Dify: slowest apps", over: overRuns, lucene: endedRuns,
		description: "Apps by the 95th percentile of their runs' time, in seconds.",
	},
		percentile(95, fieldElapsed, "p95 (s)"),
		metric("avg", fieldElapsed, "Average (s)"),
		metric("max", fieldElapsed, "Longest (s)"),
		runs(),
		split("bucket", fieldApp, "1.95", "App", 20),
		split("bucket", fieldWorkspace, "1.95", "Workspace", 5),
	)
}

func failuresByError() SavedObject {
	return table(query{
		id: "otelcol-dify-failures-by-error", title: "Dify: failures by error", over: overRuns,
		lucene:      endedRuns + ` AND ` + fieldStatus + `:"` + difysemconv.StatusFailed + `"`,
		description: "Failed runs by the text of their error. A text of more than 8,191 characters is not counted.",
	},
		runs(),
		metric("max", "@timestamp", "Last"),
		split("bucket", fieldError+".keyword", "1", "Error", 20),
		split("bucket", fieldApp, "1", "App", 5),
	)
}

func tokensByApp() SavedObject {
	return table(query{
		id: "otelcol-dify-tokens-by-app", title: "Dify: tokens by workspace and app", over: overRuns, lucene: endedRuns,
		description: "Tokens of language models as Dify writes them to each run. Up to Dify 1.17 a workflow that " +
			"another one calls as a tool is a run of its own, and counted in both.",
	},
		metric("sum", fieldTokens, "Tokens"),
		runs(),
		split("bucket", fieldWorkspace, "1", "Workspace", 20),
		split("bucket", fieldApp, "1", "App", 20),
	)
}

func failedRuns() SavedObject {
	return search(query{
		id: "otelcol-dify-failed-runs", title: "Dify: failed runs", over: overRuns,
		lucene: endedRuns + ` AND ` + fieldStatus + `:("` + difysemconv.StatusFailed + `" OR "` +
			difysemconv.StatusPartialSucceeded + `")`,
		description: "Newest first. To see a run's trace, filter for the value of " + fieldRun +
			", pin the filter and open \"Dify: trace of a run\".",
	}, fieldWorkspace, fieldApp, fieldStatus, fieldElapsed, fieldError, fieldRun)
}

func stuckRuns() SavedObject {
	return search(query{
		id: "otelcol-dify-stuck-runs", title: "Dify: stuck runs", over: overRuns,
		lucene:      fieldEvent + `:"` + difysemconv.EventWorkflowStuck + `"`,
		description: "Runs that did not end within the collector's max_run_age.",
	}, fieldWorkspace, fieldApp, fieldStatus, fieldRun)
}

func (s spanDocuments) errors() SavedObject {
	return search(query{
		id: "otelcol-dify-span-errors" + s.suffix, title: "Dify: errors in traces by service, time and code",
		over: s.indexPattern, sort: s.timeField,
		lucene: s.failed + ` OR ` + fieldCode + `:[400 TO *]`,
		description: "Spans that failed, and every HTTP response of 400 and above. " +
			"Filter by service, role, route or code; " + fieldTrace + " leads to the whole trace.",
	}, s.service, s.role, "name", fieldRoute, fieldCode, fieldException, "status.message", fieldRun, fieldTrace)
}

func logErrors() SavedObject {
	return search(query{
		id: "otelcol-dify-log-errors", title: "Dify: errors in container logs by service, time and code", over: overLogs,
		lucene:      `severity.number:[17 TO *]`,
		description: "Log records of severity ERROR and above. " + fieldTrace + " is the same as in the traces.",
	}, fieldService, "resource.container.name", "severity.text", "body", fieldException, fieldCode, fieldTrace)
}

func (s spanDocuments) ofARun() SavedObject {
	return search(query{
		id: "otelcol-dify-run-trace" + s.suffix, title: "Dify: trace of a run", over: s.indexPattern, sort: s.timeField,
		lucene: `_exists_:` + fieldRun,
		description: "Spans that belong to a run of a workflow. Filter for one value of " + fieldRun +
			"; then, for the other spans of its trace, for its " + fieldTrace + ".",
	}, fieldRun, s.role, "name", "attributes."+difysemconv.AttrNodeType, "attributes."+difysemconv.AttrNodeTitle,
		"status.code", fieldTrace)
}

func deadLetters() SavedObject {
	return search(query{
		id: "otelcol-dify-refused-documents", title: "Dify: documents that OpenSearch rejected", over: overDeadLetters,
		lucene:      `*`,
		description: "Dead letters of the collector, each with the reason and the document as text.",
	}, "index", "status", "type", "reason", "id")
}
