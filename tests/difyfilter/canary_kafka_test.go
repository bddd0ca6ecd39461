// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// A gateway leaves noise in traces to the writer after Kafka, but removes its confidential content.
func TestNoCanaryReachesKafka(t *testing.T) {
	kafka := servers.SharedKafka(t)
	const prefix = "canaries"
	var topics []string
	for _, of := range []string{"traces", "metrics", "logs", "workflow-logs"} {
		topics = append(topics, prefix+"-"+of)
	}
	require.NoError(t, kafka.CreateTopics(t.Context(), 1, topics...))
	t.Cleanup(func() { assert.NoError(t, kafka.DeleteTopics(context.WithoutCancel(t.Context()), topics...)) })
	s := newGateway(t, kafka, prefix)

	var c canaries
	end := time.Now()
	run := s.writeRun(t, &c)
	noise, noiseSpans := noiseTraces(t, &c, end)
	s.export(t, "traces", canaryTraces(t, &c, end))
	s.export(t, "traces", noise)
	s.export(t, "metrics", canaryMetrics(t, &c, end))
	lines, d := canaryLines(&c, end), s.newDriver(t)
	for _, line := range lines {
		d.write(t, end, line.container, "stderr", line.text)
	}
	for exporter, sent := range map[string]struct {
		items string
		want  int
	}{
		"kafka":               {"spans", canarySpans + noiseSpans},
		"kafka/lines":         {"log_records", countEntries(lines)},
		"kafka/workflow_logs": {"log_records", 1},
	} {
		wait.For(t, exporter, func(ctx context.Context) error {
			got, err := s.OwnMetric(ctx, "otelcol_exporter_sent_"+sent.items+"_total", fmt.Sprintf("exporter=%q", exporter))
			if err == nil && int(got) != sent.want {
				err = fmt.Errorf("%v %s are sent, expected %d", got, sent.items, sent.want)
			}
			return err
		})
	}
	messagesIn(t, kafka, prefix+"-metrics", "canary")
	for _, topic := range topics {
		assert.Empty(t, c.leaks(messagesIn(t, kafka, topic, "")), "in %s", topic)
	}
	assert.Contains(t, messagesIn(t, kafka, prefix+"-workflow-logs", ""), run)
	assert.Contains(t, messagesIn(t, kafka, prefix+"-traces", ""), "GET /health")
	assert.Empty(t, c.leaks(s.Log()), "in the collector's own log")
}

// newGateway starts the gateway of config/scale that also reads the database.
func newGateway(t *testing.T, kafka *servers.Kafka, prefix string) *stack {
	t.Helper()
	s := &stack{}
	redis := servers.SharedRedis(t)
	require.NoError(t, redis.Reset(t.Context()))
	s.openDatabase(t, redis)
	ports, err := proc.FreePorts(1)
	require.NoError(t, err)
	s.fluent = ports[0]
	env := map[string]string{
		"OTELCOL_KAFKA_BROKERS":      kafka.Brokers,
		"OTELCOL_KAFKA_TOPIC_PREFIX": prefix,
		"OTELCOL_FLUENT_ENDPOINT":    "127.0.0.1:" + strconv.Itoa(s.fluent),
	}
	maps.Copy(env, s.difyEnv)
	s.Collector = collector.Start(t, collector.Options{
		Configs: []string{
			repo.Path("config", "scale", "gateway.yaml"), repo.Path("config", "scale", "reader.yaml"),
		}, Env: env,
	})
	wait.For(t, "workflow_log reads the database", func(ctx context.Context) error {
		_, err := s.OwnMetric(ctx, "otelcol_workflow_log_polls_total", `result="ok"`)
		return err
	})
	return s
}

// messages returns all messages of a topic, including keys and headers, once one of them contains a text.
func messagesIn(t *testing.T, kafka *servers.Kafka, topic, containing string) (all string) {
	t.Helper()
	wait.For(t, "messages in "+topic, func(ctx context.Context) error {
		records, err := kafka.Messages(ctx, topic)
		if err != nil {
			return err
		}
		var text strings.Builder
		for _, r := range records {
			fmt.Fprintf(&text, "%s %s %s\n", r.Key, r.Value, r.Headers)
		}
		all = text.String()
		if !strings.Contains(all, containing) {
			return fmt.Errorf("none of %d contains %s", len(records), containing)
		}
		return nil
	})
	return all
}

// noiseTraces is what the built-in rules drop, with canaries in it.
func noiseTraces(t *testing.T, c *canaries, end time.Time) (body []byte, spans int) {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	difyResource(rs.Resource().Attributes())
	for i, of := range []struct {
		scope, name string
		kind        ptrace.SpanKind
	}{
		{"opentelemetry.instrumentation.flask", "GET /health", ptrace.SpanKindServer},
		{"opentelemetry.instrumentation.redis", "BRPOP", ptrace.SpanKindClient},
		{"dify.exception.logging", "log.exception", ptrace.SpanKindInternal},
	} {
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName(of.scope)
		span := newSpan(ss, byte(0x20+i), 0, of.name, of.kind, end)
		span.TraceState().FromRaw("vendor=" + c.secret("trace state of noise"))
		span.Status().SetMessage(c.secret("status of noise"))
		span.Attributes().PutStr("http.route", "/health")
		span.Attributes().PutStr("http.target", "/health?q="+c.content("query of noise"))
		for _, key := range contentKeys {
			span.Attributes().PutStr(key, c.content("noise, attribute "+key))
		}
		span.Attributes().PutStr("log.message", "Failed to parse "+c.secret("message of noise"))
		exception(span, c, "noise")
	}
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	require.NoError(t, err)
	return body, td.SpanCount()
}
