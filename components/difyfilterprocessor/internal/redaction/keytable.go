// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

// class is what the value of an attribute is, by its key.
type class uint8

const (
	unknown   class = iota // content if it is long or structured and Dify or a GenAI library emitted it
	safe                   // kept, without secrets
	nested                 // kept, read key by key: a map, or JSON in a string
	message                // text that a program writes: kept, without the content that it quotes
	content                // what users and models wrote: removed
	likely                 // content if Dify or a GenAI library emitted it, unless it is one word
	secret                 // masked, whatever it is
	url                    // kept without its query
	query                  // the query of a URL: removed
	statement              // kept without its literals
	identity               // names and IDs of things: no place for secrets by shape
	user                   // ID of a person
	classes
)

// keyTable has the class of attribute keys: OpenTelemetry's and GenAI's conventions, OpenInference, and the emitters
// of Dify. "x.*" is a prefix, "*.x" a suffix. An exact key takes precedence over a prefix, a prefix over a suffix.
// The same table applies to the keys of maps and of JSON in strings.
var keyTable = [classes][]string{
	safe: {
		"process.command_args", "process.command_line", "process.command", "process.runtime.description",
		"os.description", "host.cpu.*", "http.user_agent", "user_agent.original", "celery.*",
		"messaging.destination*",
		"feature_flag.*", "otel.*", "thread.*", "code.function*", "code.namespace", "db.operation*",
		"db.collection.name",
		"rpc.*", "faas.*", "device.*", "browser.*", "webengine.*", "k8s.pod.label*", "k8s.pod.annotation*",
		"container.label*", "container.command*", "gen_ai.usage.*", "gen_ai.aggregated_usage.*",
		"gen_ai.request.stop_sequences", "gen_ai.request.encoding_formats", "gen_ai.response.finish_reasons",
		"gen_ai.response.finish_reason", "gen_ai.request.*", "gen_ai.token.type", "gen_ai.operation.name",
		"gen_ai.output.type", "gen_ai.tool.type", "gen_ai.span.kind", "gen_ai.framework", "gen_ai.evaluation.name",
		"gen_ai.evaluation.score.*", "gen_ai.client.*", "gen_ai.server.*", "gen_ai.openai.*", "gen_ai.azure.*",
		"llm.token_count.*", "llm.cost.*", "llm.usage.*", "llm.model_name", "llm.provider", "llm.system",
		"embedding.model_name", "reranker.model_name", "reranker.top_k", "openinference.*", "tag.tags",
		"logfire.span_type", "logfire.level_num", "logfire.pending_parent_id", "input.mime_type", "output.mime_type",
		"dify.usage.*", "dify.trace.links", "dify.trace.truncation", "dify.limited", "dify.redaction.audit",
		"dify.arrival_time", "dify.original_time", "dify.dataset.ids", "dify.moderation.categories",
		"dify.dataset.embedding_*", "dify.retrieval.rerank_*", "gen_ai.provider.*", "dify.*.status",
		"log.level", "log.logger", "log.iostream", "exception.type", "exception.escaped", "error.type",
		"span.kind", "status", "status_code", "level", "levelname", "severity", "currency", "node.type",
	},
	nested: {
		"metadata", "dify.usage", "usage", "logfire.metrics", "tool_info", "attributes", "identity", "extra",
		"retry_attempts", "gen_ai.tool.description", "execution_metadata", "dify.metadata", "details",
	},
	message: {
		"message", "msg", "error", "err", "reason", "detail", "error.*", "exception.message", "exception.stacktrace",
		"exception.detail", "stack", "stacktrace", "stack_trace", "traceback", "exc_info", "log.message",
		"log.record.original",
		"log.original", "event.original", "logfire.msg", "logfire.msg_template", "code.stacktrace",
		"otel.status_description",
		"dify.original_status", "dify.workflow_run.error", "dify.workflow.abort.reason", "*.error",
		"*.error_message", "*.reason",
		"db.response.status_message", "warning", "description", "dify.telemetry.rehydration_failed.*",
	},
	content: {
		"gen_ai.prompt", "gen_ai.prompt.*", "gen_ai.completion", "gen_ai.completion.*", "gen_ai.input.messages",
		"gen_ai.output.messages", "gen_ai.input.*", "gen_ai.output.messages.*", "gen_ai.request.messages",
		"gen_ai.response.text", "gen_ai.response.object", "gen_ai.response.tool_calls", "gen_ai.response.content*",
		"gen_ai.system_instructions", "gen_ai.tool.definitions", "gen_ai.tool.call.arguments",
		"gen_ai.tool.call.result",
		"gen_ai.tool.input", "gen_ai.tool.output", "gen_ai.tool.message", "gen_ai.tool.parameters*",
		"gen_ai.request.available_tools", "gen_ai.request.tools", "gen_ai.request.functions*", "gen_ai.content*",
		"gen_ai.event.content", "gen_ai.user.message*", "gen_ai.system.message*", "gen_ai.assistant.message*",
		"gen_ai.choice*", "gen_ai.retrieval.query*", "gen_ai.retrieval.documents*", "gen_ai.evaluation.explanation",
		"gen_ai.memory.*", "gen_ai.agent.description", "gen_ai.agent.instructions", "gen_ai.reasoning*",
		"input.value", "output.value", "input", "output", "inputs", "outputs", "query", "prompt", "prompts", "answer",
		"completion", "retrieval.query", "retrieval.document", "retrieval.documents", "retrieval.documents.*",
		"document.content", "document.metadata", "embedding.text", "embedding.vector", "embedding.embeddings*",
		"reranker.query", "reranker.input_documents*", "reranker.output_documents*", "rerank.*",
		"llm.input_messages*", "llm.output_messages*", "llm.prompts*", "llm.completions*", "llm.prompt*",
		"llm.response*",
		"llm.invocation_parameters", "llm.function_call", "llm.tools*", "llm.choices*", "llm.prompt_template.*",
		"message.content", "message.contents*", "message.tool_calls*", "message.function_call_*", "tool.parameters",
		"tool.json_schema", "tool.description", "tool_call.function.*", "agent.input", "agent.output",
		"image.url", "audio.url", "audio.transcript", "final_result", "all_messages_events",
		"model_request_parameters",
		"pydantic_ai.*", "tools", "tool_arguments", "tool_response", "tool_responses", "logfire.json_schema",
		"agent_log", "loop_variable_map", "iteration_variable_map", "file_list", "files",
		"message_files", "dify.inputs", "dify.inputs.*", "dify.outputs", "dify.outputs.*", "dify.events",
		"process_data",
		"process_data.*", "original_inputs", "original_inputs.*", "*.inputs", "*.outputs", "*.process_data",
		"*.query",
		"*.questions", "*.parameters", "*.instruction", "*.instructions", "*.prompt", "*.completion", "*.input",
		"*.output",
		"*.messages", "*.answer", "*.documents", "*.page_content", "*.tool_input", "*.tool_output", "dify.*.config",
		"dify.feedback.content", "dify.prompt_generation.*", "dify.moderation.preset_response", "*.preset_response",
		"dify.node.data", "suggested_questions", "http.request.body", "http.response.body", "http.request.body.*",
		"http.response.body.*", "http.request.form*", "messaging.message.body", "rpc.request.body",
		"rpc.response.body",
		"db.query.parameter.*", "db.statement.parameters", "db.sql.parameters", "db.response.rows",
		"graphql.document",
		"traceloop.entity.input", "traceloop.entity.output", "traceloop.prompt*", "ai.prompt*", "ai.response*",
		"langfuse.observation.input", "langfuse.observation.output", "langfuse.trace.input", "langfuse.trace.output",
		"langsmith.*.inputs", "crewai.*", "mlflow.spanInputs", "mlflow.spanOutputs", "system_prompt", "user_prompt",
		"tool_parameters", "tool_inputs", "prompt_messages", "user_input", "page_content", "workflow_inputs",
		"workflow_outputs", "sys.query", "sys.files", "conversation_variables", "environment_variables",
		"request_body", "response_body", "chat_history", "structured_output", "reasoning_content",
	},
	likely: {
		"text", "question", "questions", "result", "response", "data", "json", "params", "variables", "kwargs",
		"args",
		"arguments", "body", "history", "context", "instruction", "instructions", "template", "content", "contents",
		"messages", "payload", "parameters", "document", "documents", "value", "values", "transcript", "summary",
		"thought", "observation", "tool_input", "tool_output", "request", "form", "variable_value", "#context#",
		"memory", "reasoning", "input_value", "function_call", "tool_calls", "comment", "feedback", "dify.*.content",
	},
	url: {
		"http.url", "http.target", "http.route", "url.full", "url.path", "url.original", "http.referer", "referer",
		"http.request.header.referer", "http.request_header.referer", "uri", "path", "request_uri", "http.path",
		"http.client.url", "request.url", "url.template", "target_url", "endpoint", "location",
		"http.response.header.location", "http.request.header.origin", "rpc.url", "callback_url", "webhook_url",
	},
	query:     {"url.query", "http.query", "query_string", "http.query_string", "http.request.query*"},
	statement: {"db.statement", "db.query.text", "db.query.summary", "sql", "db.sql.query", "sql.query"},
	identity: {
		"service.*", "host.name", "host.id", "host.arch", "host.image.*", "host.type", "container.*", "k8s.*",
		"cloud.*",
		"aws.*", "azure.*", "gcp.*", "deployment.*", "os.*", "process.*", "telemetry.*", "telemetry.sdk.*",
		"server.*",
		"net.*", "network.*", "peer.service", "instance", "job", "pod", "namespace", "cluster", "node.id",
		"node.execution_id", "trace_id", "span_id", "trace.id", "span.id", "session.id", "log.record.uid",
		"dify.app_id",
		"dify.tenant_id", "dify.workflow_id", "dify.workflow_run_id", "dify.agent_id", "dify.trace_id", "dify.*.id",
		"dify.role", "dify.version", "dify.commit", "dify.edition", "custom.deployment.git_commit", "code.file.path",
		"code.filepath", "log.file.path", "log.file.name", "messaging.message.id", "messaging.conversation_id",
		"gen_ai.conversation.id", "gen_ai.response.id", "gen_ai.tool.call.id", "gen_ai.agent.id",
		"gen_ai.agent.call.id",
		"gen_ai.data_source.id", "tenant_id", "app_id", "workflow_id", "workflow_run_id", "message_id",
		"conversation_id",
		"node_id", "node_execution_id", "dataset_id", "hostname", "host", "pid", "celery.hostname", "plugin.*",
		"workflow_app_log_id", "predecessor_node_id", "plugin_unique_identifier", "image", "image_name", "version",
		"dify.node.execution_id", "dify.workflow_app_log.id", "dify.span.id",
	},
	user: {
		"gen_ai.user.id", "dify.user.id", "enduser.*", "user.id", "user.name", "user.email", "user.full_name",
		"user.hash", "user_id", "sys.user_id", "service.user.id", "from_end_user_id", "end_user_id",
		"end_user_session_id", "external_user_id", "client.user.id", "dify.invoked_by", "dify.node.invoked_by",
		"dify.created_by", "account_id", "user", "username", "user_name", "email",
	},
}

// contentDefaults are the classes that are removed by default.
var contentDefaults = [...]class{content, query}

// ContentKeys returns the keys that are removed by default. A key that ends in * is a prefix, one that begins with *
// a suffix.
func ContentKeys() []string {
	var keys []string
	for _, c := range contentDefaults {
		keys = append(keys, keyTable[c]...)
	}
	return keys
}
