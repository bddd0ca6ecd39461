// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// openNode is a node being executed: its span, whose name is the title that the user gave, and its row.
type openNode struct {
	span
	row schema.Node
}

// node begins a node.
func (e *execution) node(id, kind, title string) openNode {
	n := openNode{
		span: e.child(e.runner, scopeNode, title, ptrace.SpanKindInternal),
		row: schema.Node{
			ID: e.r.uuid(), TenantID: e.app.TenantID, AppID: e.app.ID, WorkflowID: e.app.WorkflowID, RunID: e.run.Run.ID,
			Index: len(e.run.Nodes) + 1, NodeID: id, NodeType: kind, Title: title, CreatedBy: e.app.User.ID, CreatedAt: e.now,
		},
	}
	a := n.Attributes()
	a.PutStr("node.id", id)
	a.PutStr("node.execution_id", n.row.ID)
	a.PutStr("node.type", kind)
	a.PutStr("gen_ai.framework", "dify")
	a.PutStr("gen_ai.span.kind", spanKinds[kind])
	if spanKinds[kind] == "" {
		a.PutStr("gen_ai.span.kind", "TASK")
	}
	e.pause()
	return n
}

var spanKinds = map[string]string{"llm": "LLM", "knowledge-retrieval": "RETRIEVER"}

// close ends a node and keeps its row.
func (e *execution) close(n openNode, status, message, metadata string) {
	e.end(n.span)
	e.run.Nodes = append(e.run.Nodes, Node{Start: n.row, End: schema.NodeOutcome{
		Status: status, Error: message, ExecutionMetadata: metadata,
		Inputs: jsonText(map[string]any{"q": Confidential}), Outputs: jsonText(map[string]any{"text": Confidential}),
		Elapsed: e.now.Sub(n.row.CreatedAt), FinishedAt: e.now,
	}})
}

func (e *execution) succeed(n openNode, metadata string) {
	ok(n.span)
	e.close(n, succeeded, "", metadata)
}

// start is the node whose output contains the run's id, the only place in a trace that does.
func (e *execution) start() {
	n := e.node("start", "start", pick(e.r, []string{"Start", "开始", "User input"}))
	n.Attributes().PutStr("input.value", jsonText(map[string]any{"q": Confidential}))
	n.Attributes().PutStr("output.value", jsonText(map[string]any{
		"sys.files": []string{}, "sys.user_id": e.app.User.SessionID, "sys.app_id": e.app.ID,
		"sys.timestamp": e.now.Unix(), "sys.workflow_id": e.app.WorkflowID, "sys.workflow_run_id": e.run.Run.ID,
		"q": Confidential,
	}))
	e.succeed(n, "")
}

// last is the last node: an end or, in a chatflow, an answer.
func (e *execution) last() {
	id := "end"
	if e.run.Message != nil {
		id = "answer"
	}
	n := e.node(id, id, "Finish")
	n.Attributes().PutStr("input.value", jsonText(map[string]any{"out": Confidential}))
	n.Attributes().PutStr("output.value", jsonText(map[string]any{"out": Confidential}))
	e.succeed(n, "")
}

func (e *execution) retrieve() {
	n := e.node("knowledge", "knowledge-retrieval", "Search the handbook")
	n.Attributes().PutStr("retrieval.query", "What does "+Confidential+" cost?")
	n.Attributes().
		PutStr("retrieval.document", jsonText([]map[string]any{{"content": "The price list of " + Confidential}}))
	e.sql(n.span, selectDocuments)
	e.succeed(n, "")
}

// pricePerToken is in 10^-7 dollars.
const pricePerToken = 25

// llm calls a model and counts its tokens and their price, on the run and, for a chatflow, on the message.
func (e *execution) llm() {
	n := e.node("llm", "llm", "Ask the model")
	in, out := 20+e.r.Int64N(400), 5+e.r.Int64N(200)
	a := n.Attributes()
	a.PutStr("gen_ai.request.model", "gpt-4o-mini")
	a.PutStr("gen_ai.provider.name", "langgenius/openai/openai")
	a.PutInt("gen_ai.usage.input_tokens", in)
	a.PutInt("gen_ai.usage.output_tokens", out)
	a.PutInt("gen_ai.usage.total_tokens", in+out)
	a.PutStr("gen_ai.prompt", "You know all about "+Confidential)
	a.PutStr("gen_ai.completion", "It is "+Confidential)
	a.PutStr("gen_ai.response.finish_reason", "stop")
	message := func(role, content string) string {
		return jsonText([]map[string]any{{"role": role, "parts": []map[string]any{{"type": "text", "content": content}}}})
	}
	a.PutStr("gen_ai.input.messages", message("user", Confidential))
	a.PutStr("gen_ai.output.messages", message("assistant", Confidential))
	e.httpx(n.span, "POST", "http://plugin_daemon:5002/plugin/"+e.app.TenantID+"/dispatch/llm/invoke", 200)

	price := (in + out) * pricePerToken
	e.run.price += price
	e.run.Outcome.TotalTokens += in + out
	e.succeed(n, jsonText(map[string]any{"total_tokens": in + out, "total_price": decimal(price), "currency": "USD"}))
	if e.run.Message != nil {
		e.run.Reply = schema.Reply{
			Answer: Confidential, MessageTokens: in, AnswerTokens: out, TotalPrice: decimal(price),
			Latency:   120 * time.Millisecond,
			UpdatedAt: e.now,
		}
	}
}

func decimal(price int64) string {
	return fmt.Sprintf("%d.%07d", price/1e7, price%1e7)
}
