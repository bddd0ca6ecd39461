// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// request is an open server span.
type request struct {
	span
	method, route string
	from          time.Time
}

// open begins a request in one of gunicorn's processes.
func (x *exchange) open(p *Process, method, route string) request {
	s := x.root(p, scopeFlask, method+" "+route, ptrace.SpanKindServer)
	a := s.Attributes()
	httpLabels(a, method)
	a.PutStr("net.host.name", "api:5001")
	a.PutInt("net.host.port", 5001)
	a.PutStr("http.url", "http://api:5001"+route)
	a.PutStr("net.peer.ip", "10.0.0.7")
	a.PutInt("net.peer.port", 40000+x.r.Int64N(20000))
	a.PutStr("http.user_agent", "python-requests/2.33.0")
	a.PutStr("http.route", route)
	return request{span: s, method: method, route: route, from: x.now}
}

// authorize looks up the API key, as every call of Dify's service API does.
func (x *exchange) authorize(req request) {
	x.redis(req.span, redisCache, "GET", "SET", "GET")
	x.sql(req.span, selectToken)
	x.redis(req.span, redisCache, "SETEX", "SADD", "EXPIRE")
}

// as sets the caller.
func (req request) as(app *App) {
	req.Attributes().PutStr("dify.tenant_id", app.TenantID)
	req.Attributes().PutStr("gen_ai.user.id", app.User.ID)
}

// answer ends a request. Dify's response hook marks every status except 2xx as an error.
func (x *exchange) answer(req request, status int) {
	x.work(time.Millisecond, 3*time.Millisecond)
	req.Attributes().PutInt("http.status_code", int64(status))
	if status/100 == 2 {
		ok(req.span)
	} else {
		failed(req.span, strconv.Itoa(status)+" "+http.StatusText(status))
	}
	x.end(req.span)
	x.count(req, status)
}

func (x *exchange) count(req request, status int) {
	x.out.Requests = append(x.out.Requests, Counted{req.process, Request{
		Method: req.method, Route: req.route, Status: int64(status), End: x.now, Took: x.now.Sub(req.from),
	}})
	x.out.Expected.Requests++
	if status >= 400 {
		x.out.Expected.Errors++
	}
}

func info(g *Generator, x *exchange) {
	app := pick(g.random, g.World.Tenants).Workflow
	req := x.open(g.api(), http.MethodGet, "/v1/info")
	x.authorize(req)
	req.as(app)
	x.sql(req.span, selectApp)
	x.answer(req, http.StatusOK)
}

func unauthorized(g *Generator, x *exchange) {
	req := x.open(g.api(), http.MethodPost, "/v1/workflows/run")
	x.redis(req.span, redisCache, "GET")
	x.sql(req.span, selectToken)
	x.answer(req, http.StatusUnauthorized)
}

func notFound(g *Generator, x *exchange) {
	req := x.open(g.api(), http.MethodGet, "/nope")
	x.answer(req, http.StatusNotFound)
}

// daemonDown is a run that never starts: Dify returns 400 and writes no row. The cause is recorded repeatedly on its
// way up: nine events of three distinct exceptions, of which Dify's own Sentry setup ignores the ValueError.
func daemonDown(g *Generator, x *exchange) {
	app := pick(g.random, g.World.Tenants).Workflow
	req := x.open(g.api(), http.MethodPost, "/v1/workflows/run")
	x.authorize(req)
	req.as(app)
	generate := x.decorated(req.span, generateSpan, app)
	runner := x.decorated(generate, workflowRunner, app)
	call := x.httpx(runner, http.MethodGet,
		"http://plugin_daemon:5002/plugin/"+app.TenantID+"/management/models?page=1&q="+Confidential, 0)
	x.fail(call, daemonRefused)
	value := daemonValue(app.TenantID)
	x.logException(runner, logDaemonRequest, daemonRefused)
	x.logException(runner, logDaemonRequest, daemonInner)
	for _, s := range []span{runner, generate} {
		x.record(s, value)
		x.fail(s, value)
		x.end(s)
	}
	x.logException(req.span, logValueError, value)
	x.answer(req, http.StatusBadRequest)
	x.exceptions(2)
}
