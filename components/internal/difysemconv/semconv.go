// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package difysemconv has the name of every attribute, event and metric of Dify that our components read or write.
// celery_queue's names are in its metadata.yaml, from which their code is generated. Names that OpenTelemetry's
// semantic conventions define are repeated here only where Dify uses an older one than the current conventions, or
// where more than one component needs the name.
package difysemconv

// Attributes that Dify's OpenTelemetry setup writes (api/extensions/otel/semconv in Dify's source).
const (
	AttrAppID      = "dify.app_id"
	AttrTenantID   = "dify.tenant_id"
	AttrWorkflowID = "dify.workflow_id"
	AttrUserType   = "dify.user_type"

	// AttrSpanID and AttrSpanSynthetic are of the tracing provider: the ID that a span keeps when it is sent again, and
	// whether the provider made the span up.
	AttrSpanID        = "dify.span.id"
	AttrSpanSynthetic = "dify.span.synthetic"

	AttrNodeID          = "node.id"
	AttrNodeType        = "node.type"
	AttrNodeExecutionID = "node.execution_id"
)

// Attributes that Dify wrote in older versions, and the plugin daemon's own; dify_filter renames them.
const (
	AttrOldTenantID    = "service.tenant.id" // up to 1.10.1
	AttrOldUserID      = "service.user.id"   // up to 1.10.1
	AttrDaemonTenantID = "tenant_id"         // plugin daemon
)

// Attributes that this distribution adds.
const (
	// AttrRole is the part of Dify that emitted the telemetry: see the Role constants.
	AttrRole = "dify.role"
	// AttrInstallation is the name of one of several Difys: the key `installation` of dify_filter.
	AttrInstallation = "dify.installation"
	// AttrEdition is Dify's edition (COMMUNITY, ENTERPRISE, CLOUD), cut off the deployment environment's name.
	AttrEdition = "dify.edition"
	// AttrVersion is Dify's version, cut out of service.version (which stays whole: Sentry's releases join by it).
	AttrVersion = "dify.version"
	// AttrCommit is the commit Dify was built from, cut off service.version.
	AttrCommit = "dify.commit"
	// AttrNodeTitle keeps the title that the user gave a node, which Dify uses as the span's name.
	AttrNodeTitle = "dify.node.title"
	// AttrConversationID and AttrMessageID are the IDs of a conversation and of a message of a chat app.
	AttrConversationID = "dify.conversation_id"
	AttrMessageID      = "dify.message_id"
	// AttrEmitter names the one of Dify's emitters that sent a span, on those other than ENABLE_OTEL.
	AttrEmitter = "dify.emitter"
	// AttrCounts is on exactly one span of whatever emitters for each run (run), message (message) and use of a model
	// (usage), so that a sum over these spans counts everything once.
	AttrCounts = "dify.counts"
	// AttrDuplicateOf is the trace in which another emitter, or an earlier attempt, reported the same step.
	AttrDuplicateOf = "dify.duplicate_of"
	// AttrNodeError is the error of the node that failed, in the record of a run.
	AttrNodeError = "dify.node.error"
	// AttrOriginalStatus keeps the span status that Dify set, where dify_filter changed it.
	AttrOriginalStatus = "dify.original_status"
	// AttrArrivalTime is when an item was accepted, on items whose own time is not plausible. RFC 3339, UTC.
	AttrArrivalTime = "dify.arrival_time"
	// AttrOriginalTime is the own time of such an item, as it was sent. RFC 3339, UTC.
	AttrOriginalTime = "dify.original_time"
	// AttrLimited names the limits that cut or repaired the item, separated by commas.
	AttrLimited = "dify.limited"
	// AttrTraceUnverified is true on a log record whose trace id Dify may have made up.
	AttrTraceUnverified = "dify.trace_id.unverified"

	AttrWorkflowRunID    = "dify.workflow_run_id"
	AttrWorkflowAppLogID = "dify.workflow_app_log.id"
	AttrWorkspaceName    = "dify.workspace.name"
	AttrAppName          = "dify.app.name"
	AttrAppMode          = "dify.app.mode"
	AttrCreatedFrom      = "dify.created_from"
	AttrCreatedByRole    = "dify.created_by_role"
	AttrCreatedBy        = "dify.created_by"

	// AttrRequestTraceID and AttrRunTraceID lead from a run to its streaming request, and back.
	AttrRequestTraceID = "dify.request.trace_id"
	AttrRunTraceID     = "dify.workflow_run.trace_id"

	AttrRunStatus          = "dify.workflow_run.status"
	AttrRunType            = "dify.workflow_run.type"
	AttrRunTriggeredFrom   = "dify.workflow_run.triggered_from"
	AttrRunElapsedTime     = "dify.workflow_run.elapsed_time" // seconds
	AttrRunTotalTokens     = "dify.workflow_run.total_tokens" //nolint:gosec // language model tokens
	AttrRunTotalSteps      = "dify.workflow_run.total_steps"
	AttrRunExceptionsCount = "dify.workflow_run.exceptions_count"
	AttrRunError           = "dify.workflow_run.error"
	AttrRunCreatedAt       = "dify.workflow_run.created_at"  // RFC 3339, UTC
	AttrRunFinishedAt      = "dify.workflow_run.finished_at" // RFC 3339, UTC

	// AttrRunInvalidTimes names the columns that have no valid time; their attributes are absent.
	AttrRunInvalidTimes = "dify.workflow_run.invalid_times"

	AttrDocumentStatus   = "dify.document.indexing_status"
	AttrTriggerStatus    = "dify.trigger.status"
	AttrTriggerLogStatus = "dify.trigger.log.status"
	AttrFeedbackRating   = "dify.feedback.rating"
	AttrFeedbackSource   = "dify.feedback.from_source"

	AttrPauseSince     = "dify.workflow_pause.since" // RFC 3339, UTC
	AttrPauseReason    = "dify.workflow_pause.reason"
	AttrPauseExpiresAt = "dify.workflow_pause.expires_at" // RFC 3339, UTC

	AttrMessageStatus     = "dify.message.status"
	AttrMessageInvokeFrom = "dify.message.invoke_from"
	AttrMessageError      = "dify.message.error"
	AttrMessageDuration   = "dify.message.duration"   // seconds
	AttrMessageCreatedAt  = "dify.message.created_at" // RFC 3339, UTC

	AttrUsageTotalPrice = "dify.usage.total_price"
	AttrUsageCurrency   = "dify.usage.currency"
)

// Attributes of OpenTelemetry's conventions that more than one component needs.
const (
	AttrEventName    = "event.name"
	AttrLogRecordUID = "log.record.uid"

	AttrEnvironment    = "deployment.environment.name"
	AttrOldEnvironment = "deployment.environment" // up to Dify 1.13.0
)

// Event names of log records made by workflow_log.
const (
	EventWorkflowRun     = "dify.workflow.run"
	EventWorkflowStuck   = "dify.workflow.stuck"
	EventWorkflowUnknown = "dify.workflow.unknown"
	EventWorkflowWaiting = "dify.workflow.waiting"
	EventMessageRun      = "dify.message.run"
)

// Values of AttrRole. Those from RoleWeb on emit logs only.
const (
	RoleAPI          = "api"
	RoleWorker       = "worker"
	RoleBeat         = "beat"
	RolePluginDaemon = "plugin_daemon"
	RoleAgentBackend = "agent_backend"
	RoleWeb          = "web"
	RoleNginx        = "nginx"
	RoleSandbox      = "sandbox"
	RoleSSRFProxy    = "ssrf_proxy"
)

// Values of AttrRunStatus that mean that a run has ended (graphon's WorkflowExecutionStatus).
const (
	StatusSucceeded        = "succeeded"
	StatusFailed           = "failed"
	StatusPartialSucceeded = "partial-succeeded"
	StatusStopped          = "stopped"
)

// Values of AttrRunStatus of a run that has not ended.
const (
	StatusRunning = "running"
	StatusPaused  = "paused"
)

// Metrics. docs/metrics.md gives each one's unit, labels and name in Prometheus.
const (
	MetricServerDuration      = "http.server.duration"
	MetricServerResponseCount = "http.server.response.count"
	MetricServerErrorCount    = "http.server.error.count"

	MetricRunDuration = "app.workflow.run.duration"
	MetricRunSuccess  = "app.workflow.run.success"
	MetricRunFailure  = "app.workflow.run.failure"
	MetricRunTotal    = "app.workflow.run.total"
	MetricTokenUsage  = "app.llm.token.usage" //nolint:gosec // language model tokens
	MetricCost        = "app.llm.cost"
	MetricDocuments   = "dify.document.count"
	MetricDocumentAge = "dify.document.oldest.age"
	MetricTriggers    = "dify.trigger.count"
	MetricTriggerLogs = "dify.trigger.log.count"
	MetricTriggerAge  = "dify.trigger.log.oldest.age"
	MetricFeedback    = "app.message.feedback"

	MetricRunWaiting    = "app.workflow.run.waiting"
	MetricRunWaitingAge = "app.workflow.run.waiting.age"

	MetricMessageTotal    = "app.message.total"
	MetricMessageSuccess  = "app.message.success"
	MetricMessageFailure  = "app.message.failure"
	MetricMessageDuration = "app.message.duration"
	MetricTableSize       = "dify.database.table.size"
	MetricTableRows       = "dify.database.table.rows"
	MetricTableAge        = "dify.database.table.oldest_row.age"
)

// NoiseParseError is the name by which Dify's own Sentry hook identifies the noise that it drops: the default entry
// of the Langfuse client's error table. NoiseParseErrorText is the text of that entry, which is what telemetry
// contains.
const (
	NoiseParseError     = "parse_error.defaultErrorResponse"
	NoiseParseErrorText = "Unexpected error occurred. Please check your request and contact support: " +
		"https://langfuse.com/support."
)
