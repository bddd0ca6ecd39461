// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// named is one of two Difys in one collector.
type named struct {
	name      string
	workspace *workspace
	redis     *servers.Redis
	otlp      string // host:port for HTTP
	tasks     int    // that wait in its queue
	runs      []string
}

// newNamed returns two Difys with databases and servers of their own, and the collector's variables.
func newNamed(t *testing.T) (difys []*named, second *servers.Dify, env map[string]string) {
	t.Helper()
	ports, err := proc.FreePorts(2)
	require.NoError(t, err)
	postgres, redis := servers.SharedPostgres(t), servers.Run(t, servers.StartRedis)
	second = postgres.NewDify(t, nil)
	require.NoError(t, redis.Reset(t.Context()))
	env = map[string]string{
		"OTELCOL_INSTALLATION": "first", "OTELCOL_SECOND_INSTALLATION": "eu-2",
		"OTELCOL_SECOND_OTLP_GRPC_ENDPOINT": "127.0.0.1:" + strconv.Itoa(ports[0]),
		"OTELCOL_SECOND_OTLP_HTTP_ENDPOINT": "127.0.0.1:" + strconv.Itoa(ports[1]),
		"OTELCOL_SECOND_CELERY_BROKER_URL":  redis.URL(1),
	}
	for name, value := range second.Env {
		env["OTELCOL_SECOND_"+name] = value
	}
	return []*named{
		{name: "first", tasks: 3},
		{name: "eu-2", tasks: 5, redis: redis, otlp: env["OTELCOL_SECOND_OTLP_HTTP_ENDPOINT"]},
	}, second, env
}

// Two Difys in one collector: everything that comes from one has its name, and nothing has that of the other.
func TestSeveralInstallations(t *testing.T) {
	difys, second, env := newNamed(t)
	other := sink.NewSentry()
	server, err := sink.Listen(t.Context(), "127.0.0.1:0", other)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close(context.WithoutCancel(t.Context()))) })
	env["OTELCOL_SECOND_SENTRY_DSN"] = sink.SentryDSN(server.URL())
	s := newStack(t, stackOptions{
		overlays: append(collector.KeepDays(),
			repo.Path("config", "overlays", "second-dify.yaml"),
			"yaml:processors::dify_filter/second::limits::retention_days: 18250",
			"yaml:receivers::celery_queue::collection_interval: 1s",
			"yaml:receivers::celery_queue/second::collection_interval: 1s",
			"yaml:receivers::workflow_log::metrics_interval: 1s",
			"yaml:receivers::workflow_log/second::metrics_interval: 1s",
		),
		env: env,
	})
	difys[0].redis, difys[0].otlp = s.redis, s.OTLPHTTP
	difys[0].workspace = newWorkspace(t, s)
	difys[1].workspace = newWorkspace(t, &stack{db: second.Pool})
	wait.For(t, "both databases are read", func(ctx context.Context) error {
		var errs error
		for _, dify := range difys {
			_, err := s.OwnMetric(ctx, "otelcol_workflow_log_polls_total", `result="ok"`,
				`otel_scope_installation="`+dify.name+`"`)
			errs = errors.Join(errs, err)
		}
		return errs
	})
	want := map[string]string{} // name by ID of a run or span
	for i, dify := range difys {
		dify.use(t, 2+i, want)
		dify.send(t, recordings.Lines(t, recordings.Traces)[i], recordings.Lines(t, recordings.Metrics)[i], want)
	}
	checkDocuments(t, s, want)
	for _, dify := range difys {
		labels := `{installation="` + dify.name + `"}`
		s.expectValue(t, float64(len(dify.runs)), `sum(app_workflow_run_total`+labels+`)`)
		s.expectValue(t, float64(dify.tasks), `sum(celery_queue_length`+labels+`)`)
	}
	for _, metric := range []string{
		"app_workflow_run_total", "celery_queue_length", "http_server_duration_milliseconds_count",
	} {
		s.expectValue(t, 2, "count(count by (installation) ("+metric+"))")
		s.expectValue(t, 0, "count("+metric+`{installation=""}) or vector(0)`)
	}
	for i, double := range []*sink.Sentry{s.sentry, other} {
		wait.For(t, "the failed run at Sentry", func(context.Context) error {
			for _, event := range double.Events() {
				if tag := installationTag(event); tag != difys[i].name {
					return fmt.Errorf("an event of %s has the name %q", difys[i].name, tag)
				}
			}
			if len(double.Events()) == 0 {
				return errors.New("no event yet")
			}
			return nil
		})
	}
}

// use lets runs end, the last one with an error, and tasks wait.
func (d *named) use(t *testing.T, runs int, want map[string]string) {
	t.Helper()
	for i := range runs {
		run := d.workspace.start(t, d.workspace.workflow)
		outcome := schema.Outcome{Status: "succeeded"}
		if i == runs-1 {
			outcome = schema.Outcome{Status: "failed", Error: "boom"}
		}
		d.workspace.end(t, run, outcome)
		d.runs = append(d.runs, run)
		want[run] = d.name
	}
	options, err := redis.ParseURL(d.redis.URL(1))
	require.NoError(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	for range d.tasks {
		require.NoError(t, client.LPush(t.Context(), "dataset", "{}").Err())
	}
}

// send sends a recorded export of each signal, whose resource claims the other's name.
func (d *named) send(t *testing.T, traces, metrics string, want map[string]string) {
	t.Helper()
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(traces))
	require.NoError(t, err)
	for _, resource := range td.ResourceSpans().All() {
		resource.Resource().Attributes().PutStr("dify.installation", "someone-else")
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				want[span.TraceID().String()+"-"+span.SpanID().String()] = d.name
			}
		}
	}
	body, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	to := &collector.Collector{OTLPHTTP: d.otlp}
	require.Equal(t, http.StatusOK, exportHTTP(t, to, "traces", "", string(body)))
	require.Equal(t, http.StatusOK, exportHTTP(t, to, "metrics", "", metrics))
}

// checkDocuments compares the name in each document of a run or span with the expected one.
func checkDocuments(t *testing.T, s *stack, want map[string]string) {
	t.Helper()
	runs := 0
	for id := range want {
		if strings.Count(id, "-") == 4 {
			runs++
		}
	}
	got := maps.Clone(want)
	for _, hit := range s.documents(t, runs, "workflow-logs-*", servers.All()) {
		id := attribute(hit, "dify.workflow_run_id")
		assert.Equal(t, want[id], resourceAttribute(hit, "dify.installation"), "run %s", id)
		delete(got, id)
	}
	dropped, err := s.OwnMetric(t.Context(), droppedItems, `kind="span"`)
	if err != nil {
		dropped = 0
	}
	for _, hit := range s.documents(t, len(want)-runs-int(dropped), "dify-traces-*", servers.All()) {
		assert.Equal(t, want[hit.ID], resourceAttribute(hit, "dify.installation"), "span %s", hit.ID)
		delete(got, hit.ID)
	}
	assert.Len(t, got, int(dropped), "what did not arrive was dropped as noise")
}

func installationTag(event sink.SentryEvent) string {
	var payload struct {
		Tags map[string]string `json:"tags"`
	}
	if err := json.Unmarshal(event.Payload, &payload); err != nil {
		return err.Error()
	}
	return payload.Tags["dify.installation"]
}

func resourceAttribute(hit servers.Hit, key string) string {
	resource, _ := hit.Source["resource"].(map[string]any)
	attributes, _ := resource["attributes"].(map[string]any)
	if value, ok := attributes[key]; ok {
		return fmt.Sprint(value)
	}
	fields, _ := resource[key].(string)
	return fields
}
