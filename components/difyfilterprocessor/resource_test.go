// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func TestResources(t *testing.T) {
	// added has the attributes that are added or changed; nil marks removed ones.
	for name, tt := range map[string]struct {
		res   kv
		added kv
	}{
		"current": {
			difyProcess(7),
			kv{
				"service.instance.id": "vm:7", "service.namespace": "dify", "dify.version": "1.16.1", "dify.commit": "0123abc",
				"dify.edition": "COMMUNITY", "deployment.environment.name": "PRODUCTION",
			},
		},
		"up to 1.13.0": {
			kv{
				"service.name": "langgenius/dify", "service.version": "dify-1.9.2-", "host.name": "h", "process.pid": "7",
				"deployment.environment": "STAGING-SELF_HOSTED",
			},
			kv{
				"service.instance.id": "h:7", "service.namespace": "dify", "dify.version": "1.9.2", "dify.edition": "COMMUNITY",
				"deployment.environment": nil, "deployment.environment.name": "STAGING",
			},
		},
		"a release candidate without a commit": {
			kv{
				"service.name": "langgenius/dify", "service.version": "dify-1.17.0-rc1",
				"deployment.environment.name": "PRODUCTION-CLOUD",
			},
			kv{
				"service.namespace": "dify", "dify.version": "1.17.0-rc1", "dify.edition": "CLOUD",
				"deployment.environment.name": "PRODUCTION",
			},
		},
		"attributes of the operator are kept": {
			difyProcess(7, kv{
				"service.instance.id": "mine", "service.namespace": "ns", "dify.version": "v", "dify.commit": "c",
				"dify.edition": "e", "dify.role": "r",
				"deployment.environment": "old", "deployment.environment.name": "prod",
			}),
			kv{},
		},
		"an environment that itself ends like an edition": {
			kv{
				"service.name": "langgenius/dify", "custom.deployment.git_commit": "",
				"deployment.environment.name": "DE-CLOUD-COMMUNITY",
			},
			kv{"service.namespace": "dify", "dify.edition": "COMMUNITY", "deployment.environment.name": "DE-CLOUD"},
		},
		"role by names": {
			difyProcess(7, kv{"service.name": "dify-worker-beat", "host.name": "api-1"}),
			kv{
				"service.instance.id": "api-1:7", "service.namespace": "dify", "dify.version": "1.16.1", "dify.commit": "0123abc",
				"dify.edition": "COMMUNITY", "deployment.environment.name": "PRODUCTION", "dify.role": "beat",
			},
		},
		"role by the name of the host": {
			kv{
				"service.name": "langgenius/dify", "service.version": "dify-1.16.1-0123abc",
				"host.name": "dify-worker-6d5f7c9b8d-x2k4z", "process.pid": 1,
			},
			kv{
				"service.instance.id": "dify-worker-6d5f7c9b8d-x2k4z:1", "service.namespace": "dify", "dify.version": "1.16.1",
				"dify.commit": "0123abc", "dify.role": "worker",
			},
		},
		"plugin daemon": {
			kv{"service.name": "dify-plugin-daemon", "service.version": "unknown"},
			kv{"service.namespace": "dify", "dify.role": "plugin_daemon"},
		},
		"container": {
			kv{"container.id": "abc", "container.name": "docker-worker_beat-1"},
			kv{"service.instance.id": "abc", "dify.role": "beat"},
		},
		"another SDK": {
			kv{
				"service.name": "shop-api", "telemetry.sdk.name": "opentelemetry", "host.name": "h", "process.pid": 1,
				"deployment.environment": "x-CLOUD",
			},
			kv{},
		},
		"a process of hostmetrics": {
			kv{"service.name": "x", "host.name": "h", "process.pid": 1, "process.executable.name": "gunicorn"},
			kv{},
		},
		"another receiver's": {kv{"service.name": "dify", "service.instance.id": "x"}, kv{}},
		"nothing":            {kv{}, kv{}},
	} {
		t.Run(name, func(t *testing.T) {
			want := maps.Clone(tt.res)
			for key, v := range tt.added {
				if want[key] = v; v == nil {
					delete(want, key)
				}
			}
			b := newHarness(t)
			got := b.traces(t, batchOf(tt.res, spanSpec{id: 1, name: "x"})).ResourceSpans().At(0).Resource().Attributes()
			assert.Equal(t, normal(t, want), got.AsRaw())
			assert.Equal(
				t,
				got.AsRaw(),
				b.traces(t, batchOf(got.AsRaw(), spanSpec{id: 1, name: "x"})).
					ResourceSpans().
					At(0).
					Resource().
					Attributes().
					AsRaw(),
				"idempotent",
			)
		})
	}
}

// normal converts numbers to the types of pdata.
func normal(t *testing.T, raw kv) kv {
	t.Helper()
	m := pcommon.NewMap()
	require.NoError(t, m.FromRaw(raw))
	return m.AsRaw()
}

func TestNamespaceOff(t *testing.T) {
	b := newHarness(t, func(c *Config) { c.ServiceNamespace = "" })
	td := b.traces(t, batchOf(difyProcess(1), spanSpec{id: 1}))
	assert.False(t, attrs.Has(td.ResourceSpans().At(0).Resource().Attributes(), attrs.ServiceNamespace))
}

func TestEnterpriseTelemetryIsDify(t *testing.T) {
	b := newHarness(t)
	td := b.traces(
		t,
		batchOf(
			kv{"service.name": "dify", "host.name": "h"},
			spanSpec{id: 1, scope: emitter.ScopeEnterprise, name: "dify.workflow.run"},
		),
	)
	assert.Equal(t, "dify", attrs.Text(td.ResourceSpans().At(0).Resource().Attributes(), attrs.ServiceNamespace))
	assert.False(
		t,
		attrs.Has(td.ResourceSpans().At(0).Resource().Attributes(), attrs.ServiceInstanceID),
		"without a pid, spans do not identify a process",
	)
}

func TestRolesAreRemembered(t *testing.T) {
	flask := spanSpec{id: 1, scope: emitter.ScopeFlask, name: "GET /x", kind: serverSpan}
	task := spanSpec{id: 1, scope: emitter.ScopeCelery, name: "run/tasks.x", kind: consumerSpan}
	call := spanSpec{id: 2, scope: emitter.ScopeRedis, name: "GET", kind: clientSpan}
	sends := spanSpec{id: 3, scope: emitter.ScopeCelery, name: "apply_async/tasks.x", kind: producerSpan}

	b := newHarness(t)
	role := func(pid int, spec spanSpec) string {
		return attrs.Text(
			b.traces(t, batchOf(difyProcess(pid), spec)).ResourceSpans().At(0).Resource().Attributes(),
			difysemconv.AttrRole,
		)
	}
	assert.Empty(t, role(1, call))
	assert.Empty(t, role(1, sends), "both send tasks")
	assert.Equal(t, difysemconv.RoleAPI, role(1, flask))
	assert.Equal(t, difysemconv.RoleAPI, role(1, call))
	assert.Equal(t, difysemconv.RoleWorker, role(2, task))
	assert.Equal(t, difysemconv.RoleWorker, role(2, call))
	assert.Empty(t, role(3, call))
	b.traces(
		t,
		batchOf(
			difyProcess(4),
			spanSpec{
				id:    1,
				scope: emitter.ScopeRedis,
				name:  "LLEN LLEN LLEN LLEN",
				kind:  clientSpan,
				kv:    kv{"db.system": "redis"},
			},
		),
	)
	assert.Equal(
		t,
		difysemconv.RoleWorker,
		role(4, call),
		"a process that polls is a worker, although the polling is dropped",
	)
	assert.Empty(
		t,
		role(5, spanSpec{id: 1, parent: 2, scope: emitter.ScopeRedis, name: "LLEN LLEN LLEN LLEN", kind: clientSpan}),
	)

	// What metrics show is known to traces.
	b.metrics(t, flower(3))
	assert.Equal(t, difysemconv.RoleWorker, role(3, call))

	b.clock = b.clock.Add(2 * b.cfg.Memory.TTL)
	assert.Empty(t, role(1, call), "expired")
}

// A label that is added later would start a second series.
func TestRolesOfSeriesNeverChange(t *testing.T) {
	pointRole := func(md pmetric.Metrics) string {
		return attrs.Text(
			md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).Attributes(),
			difysemconv.AttrRole,
		)
	}
	b := newHarness(t)
	before := b.metrics(t, poolUsage(2))
	assert.Equal(t, difysemconv.RoleWorker, pointRole(b.metrics(t, flower(2))))
	b.traces(
		t,
		batchOf(difyProcess(2), spanSpec{id: 1, scope: emitter.ScopeCelery, name: "run/tasks.x", kind: consumerSpan}),
	)
	after := b.metrics(t, poolUsage(2))
	assert.Empty(t, pointRole(after), "roles that are learned later do not change a series")
	assert.Equal(
		t,
		before.ResourceMetrics().At(0).Resource().Attributes().AsRaw(),
		after.ResourceMetrics().At(0).Resource().Attributes().AsRaw(),
	)
	assert.Empty(t, pointRole(before))

	named := poolUsage(2)
	named.ResourceMetrics().At(0).Resource().Attributes().PutStr("host.name", "dify-worker-0")
	assert.Equal(t, difysemconv.RoleWorker, pointRole(b.metrics(t, named)), "names are known from the beginning")
}

func poolUsage(pid int) pmetric.Metrics {
	return metricOf(pid, emitter.ScopeInstrumentation+"sqlalchemy", "db.client.connections.usage")
}

func flower(pid int) pmetric.Metrics {
	return metricOf(pid, emitter.ScopeCelery, "flower.task.runtime.seconds")
}

func metricOf(pid int, scope, name string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	_ = rm.Resource().Attributes().FromRaw(difyProcess(pid))
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scope)
	m := sm.Metrics().AppendEmpty()
	m.SetName(name)
	cumulativeSum(m).AppendEmpty().SetIntValue(1)
	return md
}

func TestStatusRepair(t *testing.T) {
	for name, tt := range map[string]struct {
		spec     spanSpec
		want     ptrace.StatusCode
		original string
	}{
		"404": {
			spanSpec{kind: serverSpan, err: "404 NOT FOUND", kv: kv{"http.status_code": 404}},
			ptrace.StatusCodeUnset, "ERROR: 404 NOT FOUND",
		},
		"302, no message": {
			spanSpec{kind: serverSpan, err: " ", kv: kv{"http.response.status_code": 302}},
			ptrace.StatusCodeUnset, "ERROR:  ",
		},
		"400 with an exception": {spanSpec{
			kind: serverSpan, err: "400", kv: kv{"http.status_code": 400},
			events: []eventSpec{exception("ValueError", "x")},
		}, ptrace.StatusCodeUnset, "ERROR: 400"},
		"500": {spanSpec{
			kind: serverSpan, err: "500", kv: kv{"http.status_code": 500},
			events: []eventSpec{exception("KeyError", "x")},
		}, ptrace.StatusCodeError, ""},
		"200 with an exception": {spanSpec{
			kind: serverSpan, err: "x", kv: kv{"http.status_code": 200},
			events: []eventSpec{exception("KeyError", "x")},
		}, ptrace.StatusCodeError, ""},
		"404 of a client span": {
			spanSpec{kind: clientSpan, err: "404", kv: kv{"http.status_code": 404}},
			ptrace.StatusCodeError, "",
		},
		"a rejected request": {
			spanSpec{
				err: "ValueError: x", kv: kv{"exception.type": "JSONDecodeError"},
				events: []eventSpec{exception("ValueError", "x"), exception("json.decoder.JSONDecodeError", "x")},
			},
			ptrace.StatusCodeUnset, "ERROR: ValueError: x",
		},
		"an HTTPException": {spanSpec{
			err: "x",
			events: []eventSpec{
				exception("controllers.web.error.AppUnavailableError", "x"),
				exception("werkzeug.exceptions.NotFound", "x"),
			},
		}, ptrace.StatusCodeUnset, "ERROR: x"},
		"an expected and an unexpected exception": {
			spanSpec{
				err:    "x",
				events: []eventSpec{exception("ValueError", "x"), exception("httpx.ConnectError", "x")},
			},
			ptrace.StatusCodeError,
			"",
		},
		"an unexpected exception in the log": {spanSpec{
			err: "x", kv: kv{"exception.type": "ConnectError"},
			events: []eventSpec{exception("ValueError", "x")},
		}, ptrace.StatusCodeError, ""},
		"expected, but 500": {spanSpec{
			kind: serverSpan, err: "500", kv: kv{"http.status_code": 500},
			events: []eventSpec{exception("ValueError", "x")},
		}, ptrace.StatusCodeError, ""},
		"a client span": {spanSpec{
			kind: clientSpan, err: "x",
			events: []eventSpec{exception("ValueError", "x")},
		}, ptrace.StatusCodeError, ""},
		"a task": {
			spanSpec{
				kind: consumerSpan, err: "x",
				events: []eventSpec{exception("graphon.model_runtime.errors.invoke.InvokeRateLimitError", "x")},
			},
			ptrace.StatusCodeUnset, "ERROR: x",
		},
		"an error without an exception": {spanSpec{err: "ValueError: x"}, ptrace.StatusCodeError, ""},
		"no HTTP":                       {spanSpec{kind: serverSpan, err: "x"}, ptrace.StatusCodeError, ""},
		"no error": {
			spanSpec{kind: serverSpan, kv: kv{"http.status_code": 404}},
			ptrace.StatusCodeUnset, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.spec.id, tt.spec.name = 1, "GET /x"
			span := byID(newHarness(t).traces(t, batchOf(difyProcess(1), tt.spec)), 1)
			assert.Equal(t, tt.want, span.Status().Code())
			assert.Equal(t, tt.original, attrs.Text(span.Attributes(), difysemconv.AttrOriginalStatus))
			assert.Equal(t, len(tt.spec.events), span.Events().Len())
		})
	}
}

func TestCurrentSpanAttributes(t *testing.T) {
	for name, tt := range map[string]struct {
		res, in, want kv
	}{
		"HTTP names are added": {
			difyProcess(1),
			kv{"http.method": "GET", "http.status_code": 200, "http.target": "/x?y=1"},
			kv{
				"http.method": "GET", "http.status_code": 200, "http.target": "/x", "http.request.method": "GET",
				"http.response.status_code": 200, "url.path": "/x",
			},
		},
		"URL of a client span": {
			difyProcess(1),
			kv{"http.method": "GET", "http.url": "http://h/x?y=1"},
			kv{"http.method": "GET", "http.request.method": "GET", "http.url": "http://h/x", "url.full": "http://h/x"},
		},
		"ids up to 1.10.1": {
			difyProcess(1),
			kv{"service.tenant.id": "t", "service.user.id": "8c3ec7a9-1a2e-4b52-9f4c-2a8d7f0b6f11"},
			kv{"dify.tenant_id": "t", "gen_ai.user.id": "8c3ec7a9-1a2e-4b52-9f4c-2a8d7f0b6f11"},
		},
		"current names win": {
			difyProcess(1), kv{"service.tenant.id": "t", "dify.tenant_id": "today"}, kv{"dify.tenant_id": "today"},
		},
		"the plugin daemon's tenant": {
			kv{"service.name": "dify-plugin-daemon"}, kv{"tenant_id": "t"}, kv{"dify.tenant_id": "t"},
		},
		"tenant_id of other processes is not a tenant of Dify": {difyProcess(1), kv{"tenant_id": "t"}, kv{"tenant_id": "t"}},
		"names of other processes are kept": {
			kv{"service.name": "shop", "telemetry.sdk.name": "x"},
			kv{"http.method": "GET", "service.tenant.id": "t"},
			kv{"http.method": "GET", "service.tenant.id": "t"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			span := byID(newHarness(t).traces(t, batchOf(tt.res, spanSpec{id: 1, name: "x", kind: serverSpan, kv: tt.in})), 1)
			assert.Equal(t, normal(t, tt.want), span.Attributes().AsRaw())
		})
	}
}

func TestLogExceptionsOfOlderVersions(t *testing.T) {
	old := kv{
		"log.level": "ERROR", "log.message": "it failed", "log.logger": "x", "log.file.path": "/app/x.py",
		"log.file.line":  7,
		"exception.type": "KeyError", "exception.message": "'k'",
	}
	logged := eventSpec{
		"log.exception",
		kv{
			"log.level":     "ERROR",
			"log.message":   "it failed",
			"log.logger":    "x",
			"log.file.path": "/app/x.py",
			"log.file.line": 7,
		},
	}
	for name, tt := range map[string]struct{ events, want []eventSpec }{
		"attributes only": {nil, []eventSpec{logged, exception("KeyError", "'k'")}},
		"with an exception event": {
			[]eventSpec{exception("KeyError", "'k'")},
			[]eventSpec{exception("KeyError", "'k'"), logged},
		},
	} {
		t.Run(name, func(t *testing.T) {
			td := newHarness(
				t,
			).traces(t, batchOf(difyProcess(1),
				spanSpec{id: 1, scope: emitter.ScopeLogException, name: "log.exception", err: "x", kv: old, events: tt.events}))
			span := byID(td, 1)
			assert.Equal(t, kv{"exception.type": "KeyError"}, span.Attributes().AsRaw())
			require.Equal(t, len(tt.want), span.Events().Len())
			for i, event := range span.Events().All() {
				assert.Equal(t, tt.want[i].name, event.Name())
				assert.Equal(t, normal(t, tt.want[i].kv), event.Attributes().AsRaw())
			}
			assert.Equal(t, wireTraces(t, td), wireTraces(t, newHarness(t).traces(t, td)), "idempotent")
		})
	}
}

// The list of expected errors is shared with the Sentry exporter.
func TestKnownSubclassesAreExpected(t *testing.T) {
	for _, class := range []string{
		"core.errors.error.LLMError", "core.tools.errors.ToolInvokeError",
		"services.errors.app.MoreLikeThisDisabledError",
	} {
		td := newHarness(
			t,
		).traces(t, batchOf(difyProcess(1), spanSpec{id: 1, err: "x", events: []eventSpec{exception(class, "x")}}))
		assert.Equal(t, ptrace.StatusCodeUnset, byID(td, 1).Status().Code(), class)
	}
}
