// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Nearly half of Dify's spans are database and Redis calls.

const (
	selectToken = "SELECT api_tokens.id, api_tokens.app_id, api_tokens.tenant_id, api_tokens.type, api_tokens.token \n" +
		"FROM api_tokens \nWHERE api_tokens.token = %(token_1)s AND api_tokens.type = %(type_1)s"
	selectApp       = "SELECT apps.id AS apps_id, apps.tenant_id AS apps_tenant_id, apps.name AS apps_name \nFROM apps \nWHERE apps.id = %(id_1)s"
	selectWorkflow  = "SELECT workflows.id, workflows.tenant_id, workflows.app_id, workflows.graph \nFROM workflows \nWHERE workflows.id = %(id_1)s"
	insertRun       = "INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, status) VALUES (%(id)s::UUID, %(tenant_id)s::UUID, %(app_id)s::UUID, %(workflow_id)s::UUID, %(status)s)"
	updateRun       = "UPDATE workflow_runs SET status=%(status)s, outputs=%(outputs)s, elapsed_time=%(elapsed_time)s WHERE workflow_runs.id = %(workflow_runs_id)s::UUID"
	insertAppLog    = "INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id) VALUES (%(id)s::UUID, %(tenant_id)s::UUID, %(app_id)s::UUID, %(workflow_id)s::UUID, %(workflow_run_id)s::UUID)"
	selectDocuments = "SELECT document_segments.id FROM document_segments WHERE document_segments.content LIKE '%" + Confidential + "%'"
)

// sql adds a connect span and one span per statement.
func (t *tracer) sql(parent span, statements ...string) {
	c := t.child(parent, scopeSQL, "connect", ptrace.SpanKindClient)
	t.database(c)
	t.work(100*time.Microsecond, time.Millisecond)
	t.end(c)
	for _, statement := range statements {
		verb, _, _ := strings.Cut(statement, " ")
		s := t.child(parent, scopeSQL, verb+" dify", ptrace.SpanKindClient)
		t.database(s)
		s.Attributes().PutStr("db.statement", statement)
		s.Attributes().PutStr("db.operation", verb+" dify")
		t.work(200*time.Microsecond, 4*time.Millisecond)
		t.end(s)
	}
}

func (*tracer) database(s span) {
	a := s.Attributes()
	a.PutStr("net.peer.name", "db_postgres")
	a.PutInt("net.peer.port", 5432)
	a.PutStr("db.name", "dify")
	a.PutStr("db.user", "postgres")
	a.PutStr("db.system", "postgresql")
}

// Redis databases: Dify's cache, and Celery's broker.
const (
	redisCache  = 0
	redisBroker = 1
)

func (t *tracer) redis(parent span, database int64, commands ...string) {
	for _, command := range commands {
		s := t.child(parent, scopeRedis, command, ptrace.SpanKindClient)
		t.redisCall(s, database, command)
	}
}

// redisCall fills and ends a span of one command or pipeline.
func (t *tracer) redisCall(s span, database int64, command string) {
	verbs := strings.Fields(command)
	a := s.Attributes()
	if len(verbs) == 1 {
		a.PutStr("db.statement", command+" ? ?")
		a.PutInt("db.redis.args_length", 3)
	} else {
		a.PutStr("db.statement", strings.Join(verbs, " ?\n")+" ?")
		a.PutInt("db.redis.pipeline_length", int64(len(verbs)))
	}
	a.PutStr("db.system", "redis")
	a.PutInt("db.redis.database_index", database)
	a.PutStr("net.peer.name", "redis")
	a.PutInt("net.peer.port", 6379)
	a.PutStr("net.transport", "ip_tcp")
	t.work(50*time.Microsecond, 500*time.Microsecond)
	t.end(s)
}

// httpx adds an outgoing request. Status 0 is a request without a response, whose span stays open for its exception.
func (t *tracer) httpx(parent span, method, url string, status int64) span {
	s := t.child(parent, scopeHTTPX, method, ptrace.SpanKindClient)
	s.Attributes().PutStr("http.method", method)
	s.Attributes().PutStr("http.url", url)
	t.work(time.Millisecond, 10*time.Millisecond)
	if status != 0 {
		s.Attributes().PutInt("http.status_code", status)
		if status >= 400 {
			failed(s, strconv.FormatInt(status, 10))
		}
	}
	t.end(s)
	return s
}
