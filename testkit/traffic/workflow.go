// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"encoding/json"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// Names of Dify's decorator spans and of the task that executes runs.
const (
	generateSpan   = "services.app_generate_service.AppGenerateService.generate"
	workflowRunner = "core.app.apps.workflow.app_runner.WorkflowAppRunner.run"
	chatflowRunner = "core.app.apps.advanced_chat.app_runner.AdvancedChatAppRunner.run"

	executionTask  = "tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task"
	executionQueue = "workflow_based_app_execution"
	scheduleTask   = "tasks.workflow_schedule_tasks.run_schedule_trigger"
	scheduleQueue  = "schedule_executor"
)

// plot is what a run does between its start node and its end.
type plot func(*execution)

// execution is a run being executed.
type execution struct {
	*exchange
	run    *Run
	app    *App
	runner span
}

// blocking is a run within its request.
func blocking(p plot) story {
	return func(g *Generator, x *exchange) {
		app := pick(g.random, g.World.Tenants).Workflow
		req := x.open(g.api(), http.MethodPost, "/v1/workflows/run")
		x.authorize(req)
		req.as(app)
		generate := x.decorated(req.span, generateSpan, app)
		x.execute(generate, app, workflowRunner, "app-run", p)
		ok(generate)
		x.end(generate)
		x.answer(req, http.StatusOK)
	}
}

// streaming is a run that the request passes to the worker, as all streaming runs are since 1.13.0.
func streaming(p plot) story {
	return func(g *Generator, x *exchange) {
		x.stream(g, pick(g.random, g.World.Tenants).Workflow, "/v1/workflows/run", workflowRunner, p)
	}
}

func chatflow(g *Generator, x *exchange) {
	x.stream(g, pick(g.random, g.World.Tenants).Chatflow, "/v1/chat-messages", chatflowRunner, askModel)
}

func (x *exchange) stream(g *Generator, app *App, route, runner string, p plot) {
	api := g.api()
	req := x.open(api, http.MethodPost, route)
	x.authorize(req)
	req.as(app)
	generate := x.decorated(req.span, generateSpan, app)
	generate.Attributes().PutBool("dify.streaming", true)
	ok(generate)
	x.end(generate)
	x.answer(req, http.StatusOK)
	x.queued(g, executionTask, executionQueue, api, func(task span) {
		x.execute(task, app, runner, "app-run", p)
	})
}

// scheduled is a run that a schedule started, without a request.
func scheduled(g *Generator, x *exchange) {
	app := pick(g.random, g.World.Tenants).Workflow
	x.queued(g, scheduleTask, scheduleQueue, g.World.Beat, func(task span) {
		x.execute(task, app, workflowRunner, "schedule", askModel)
	})
}

// decorated opens one of Dify's decorator spans.
func (x *exchange) decorated(parent span, name string, app *App) span {
	s := x.child(parent, scopeDecorator, name, ptrace.SpanKindInternal)
	a := s.Attributes()
	a.PutStr("dify.app_id", app.ID)
	a.PutStr("dify.tenant_id", app.TenantID)
	a.PutStr("gen_ai.user.id", app.User.ID)
	a.PutBool("dify.streaming", false)
	if name == generateSpan {
		a.PutStr("dify.user_type", "EndUser")
		a.PutStr("dify.workflow_id", "unknown")
	} else {
		a.PutStr("dify.workflow_id", app.WorkflowID)
	}
	return s
}

// execute runs a workflow below parent and fills in its rows.
func (x *exchange) execute(parent span, app *App, runner, trigger string, p plot) {
	e := &execution{exchange: x, app: app, runner: x.decorated(parent, runner, app)}
	x.sql(e.runner, selectApp, selectWorkflow, insertRun)
	e.run = x.newRun(app, trigger)
	x.out.Run = e.run
	e.start()
	p(e)
	x.sql(e.runner, updateRun)
	x.redis(e.runner, redisCache, "PUBLISH", "DEL")
	if e.runner.Status().Code() == ptrace.StatusCodeUnset || e.run.Outcome.Status == failedRun {
		ok(e.runner) // Dify sets it even for a run that failed
	}
	x.end(e.runner)
	if e.run.Log != nil {
		x.sql(parent, insertAppLog)
	}
	o := &e.run.Outcome
	o.FinishedAt = x.now
	o.Elapsed = x.now.Sub(e.run.Run.CreatedAt)
	o.TotalSteps = len(e.run.Nodes)
	o.Outputs = jsonText(map[string]any{"out": Confidential})
}

func (x *exchange) newRun(app *App, trigger string) *Run {
	run := &Run{
		Run: schema.Run{
			ID: x.r.uuid(), TenantID: app.TenantID, AppID: app.ID, WorkflowID: app.WorkflowID, TriggeredFrom: trigger,
			CreatedBy: app.User.ID, CreatedAt: x.now, Inputs: jsonText(map[string]any{"q": Confidential}),
		},
		Outcome:   schema.Outcome{Status: succeeded},
		App:       app.Name,
		Workspace: app.Workspace,
	}
	if app.Mode == modeChatflow {
		run.Run.Type = "chat"
		run.Message = &schema.Message{
			ID: x.r.uuid(), AppID: app.ID, ConversationID: x.r.uuid(), Query: Confidential, EndUserID: app.User.ID,
			RunID: run.Run.ID, AppMode: modeChatflow, CreatedAt: x.now,
		}
		return run
	}
	run.Log = &schema.AppLog{
		ID: x.r.uuid(), TenantID: app.TenantID, AppID: app.ID, WorkflowID: app.WorkflowID, RunID: run.Run.ID,
		CreatedBy: app.User.ID,
	}
	return run
}

// askModel is a run that succeeds.
func askModel(e *execution) {
	e.llm()
	e.last()
}

// askDocuments is a run that retrieves documents before it calls the model.
func askDocuments(e *execution) {
	e.retrieve()
	askModel(e)
}

// codeNodeFails is a run with a code node whose sandbox is down: two exceptions, one on the request, one logged, which
// are one failure.
func codeNodeFails(e *execution) {
	n := e.node("code", "code", "Run code")
	call := e.httpx(n.span, http.MethodPost, "http://sandbox:8194/v1/sandbox/run", 0)
	e.fail(call, sandboxRefused)
	ok(n.span) // Dify's observability layer sets it, although the node failed
	e.close(n, failedRun, codeNodeFailed.message, "")
	e.logException(e.runner, logWorkflowEntry, codeNodeFailed)
	e.exceptions(1)
	e.fails(codeNodeFailed.message)
}

// modelRefuses is a run that fails without an exception on any span: only its row has the error, which contains a
// secret.
func modelRefuses(e *execution) {
	const text = "[openai] Error: Incorrect API key provided: sk-proj-" + Confidential + "Zx81Kq0pLmNv72RtYw45HsBd. " +
		"You can find your API key at https://platform.openai.com/account/api-keys."
	n := e.node("llm", "llm", "Ask the model")
	ok(n.span)
	e.close(n, failedRun, text, "")
	e.out.Expected.WithoutException++
	e.fails(text)
}

// httpNodeFallsBack is a run whose HTTP node can't reach its target and continues with a default value: the exception
// of the call is handled.
func httpNodeFallsBack(e *execution) {
	n := e.node("http", "http-request", "Call out")
	call := e.httpx(n.span, http.MethodGet, "http://warehouse.example/stock?customer="+Confidential, 0)
	e.fail(call, httpNodeRefused)
	ok(n.span)
	e.close(n, "exception", httpNodeRefused.message, "")
	e.last()
	e.run.Outcome.Status = partialSucceeded
	e.run.Outcome.ExceptionsCount = 1
}

// userStops is a run that a user stopped.
func userStops(e *execution) {
	e.retrieve()
	e.run.Outcome.Status = stopped
	e.run.Outcome.Error = "Workflow execution aborted"
}

func (e *execution) fails(message string) {
	e.run.Outcome.Status = failedRun
	e.run.Outcome.Error = message
	e.run.Outcome.ExceptionsCount = 1
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a map of strings and numbers can be encoded
	}
	return string(b)
}

// pause advances the clock by a node's own work.
func (e *execution) pause() {
	e.work(5*time.Millisecond, 60*time.Millisecond)
}
