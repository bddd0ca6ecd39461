// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	_ "embed"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// The tracebacks are recorded ones.
var (
	//go:embed tracebacks/code_node.txt
	codeNodeTraceback string
	//go:embed tracebacks/sandbox_refused.txt
	sandboxTraceback string
	//go:embed tracebacks/http_node_refused.txt
	httpNodeTraceback string
	//go:embed tracebacks/plugin_daemon_refused.txt
	daemonRefusedTraceback string
	//go:embed tracebacks/plugin_daemon_inner.txt
	daemonInnerTraceback string
	//go:embed tracebacks/plugin_daemon_value.txt
	daemonValueTraceback string
	//go:embed tracebacks/no_script.txt
	noScriptTraceback string
)

// recordedTenant is part of a recorded message. It is replaced by the current tenant.
const recordedTenant = "4062b193-7acf-49d8-88fa-e1cb22331307"

// exception is one that Dify records on a span.
type exception struct {
	class     string
	message   string
	traceback string
}

var (
	sandboxRefused  = exception{"httpx.ConnectError", "[Errno 111] Connection refused", sandboxTraceback}
	httpNodeRefused = exception{"httpx.ConnectError", "[Errno 111] Connection refused", httpNodeTraceback}
	daemonRefused   = exception{"httpx.ConnectError", "[Errno 111] Connection refused", daemonRefusedTraceback}
	daemonInner     = exception{"core.plugin.entities.plugin_daemon.PluginDaemonInnerError", "", daemonInnerTraceback}
	noScript        = exception{
		"redis.exceptions.NoScriptError", "No matching script. Please use EVAL.", noScriptTraceback,
	}
	codeNodeFailed = exception{
		"RuntimeError", "Failed to execute code, which is likely a network issue, please check if the sandbox service is running. " +
			"( Error: [Errno 111] Connection refused )", codeNodeTraceback,
	}
)

func daemonValue(tenant string) exception {
	return exception{
		"ValueError", "Failed to request plugin daemon, url: plugin/" + tenant + "/management/models",
		strings.ReplaceAll(daemonValueTraceback, recordedTenant, tenant),
	}
}

// record adds the event that record_exception adds.
func (t *tracer) record(s span, e exception) {
	ev := s.Events().AppendEmpty()
	ev.SetName("exception")
	ev.SetTimestamp(pcommon.NewTimestampFromTime(t.now))
	ev.Attributes().PutStr("exception.type", e.class)
	ev.Attributes().PutStr("exception.message", e.message)
	ev.Attributes().PutStr("exception.stacktrace", e.traceback)
	ev.Attributes().PutStr("exception.escaped", "False")
}

// fail records an exception and ends the span's status as the SDK does.
func (t *tracer) fail(s span, e exception) {
	t.record(s, e)
	class := e.class[strings.LastIndexByte(e.class, '.')+1:]
	failed(s, class+": "+e.message)
}

// logLine is a log record with exc_info, which Dify turns into two events on the current span.
type logLine struct {
	logger, message, file, line string
}

var (
	logWorkflowEntry = logLine{
		"core.workflow.workflow_entry", "Unknown Error when workflow entry running",
		"/app/api/core/workflow/workflow_entry.py", "187",
	}
	logDaemonRequest = logLine{
		"core.plugin.impl.base", "Request to Plugin Daemon Service failed", "/app/api/core/plugin/impl/base.py", "100",
	}
	logValueError = logLine{"app_factory", "value_error in request handler", "/app/api/libs/external_api.py", "94"}
)

// logException adds what Dify's ExceptionLoggingHandler adds since 1.11.3.
func (t *tracer) logException(s span, l logLine, e exception) {
	ev := s.Events().AppendEmpty()
	ev.SetName("log.exception")
	ev.SetTimestamp(pcommon.NewTimestampFromTime(t.now))
	ev.Attributes().PutStr("log.level", "ERROR")
	ev.Attributes().PutStr("log.message", l.message)
	ev.Attributes().PutStr("log.logger", l.logger)
	ev.Attributes().PutStr("log.file.path", l.file)
	ev.Attributes().PutStr("log.file.line", l.line)
	t.record(s, e)
	s.Attributes().PutStr("exception.type", e.class)
	failed(s, l.message)
}
