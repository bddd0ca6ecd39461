// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// Whatever Kafka rejects because of its own settings stays in the gateway's queue, and is in Kafka when the setting
// is right again: a revoked right, a rejected record, a topic that was created with a small limit.
func TestGatewayKeepsWhatKafkaRejects(t *testing.T) {
	kafka := ownKafka(t)
	set := func(key, value string) func(context.Context, string) error {
		return func(ctx context.Context, topic string) error { return kafka.SetTopic(ctx, topic, key, value) }
	}
	tests := []struct {
		name            string
		reject, restore func(ctx context.Context, topic string) error
		log             string
	}{
		{"a revoked right", kafka.DenyWrite, kafka.AllowWrite, "TOPIC_AUTHORIZATION_FAILED"},
		{
			"a policy on timestamps", set("message.timestamp.before.max.ms", "1"), set("message.timestamp.before.max.ms", ""),
			"INVALID_TIMESTAMP",
		},
		{
			"a lower limit", set("max.message.bytes", "100"), set("max.message.bytes", strconv.Itoa(servers.MaxMessageBytes)),
			"MESSAGE_TOO_LARGE",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRigWith(
				t,
				rigOptions{
					gateways: 1,
					kafka:    kafka,
					overlays: []string{repo.Path("config", "scale", "sasl.yaml")},
					env: map[string]string{
						"OTELCOL_KAFKA_BROKERS": kafka.Secure, "OTELCOL_KAFKA_CA_FILE": kafka.CAFile,
						"OTELCOL_KAFKA_USERNAME": servers.KafkaUser, "OTELCOL_KAFKA_PASSWORD": servers.KafkaPassword,
					},
				},
			)
			gateway, topic := r.gateways[0], r.topic("traces")
			var accepted []string
			send := func(numbers ...uint64) {
				for _, n := range numbers {
					require.Equal(t, http.StatusOK, export(t, gateway.OTLPHTTP, "traces", protobuf, span(t, n)))
					accepted = append(accepted, spanIDs(n)...)
				}
			}
			send(1, 2)
			gateway.expectMetric(t, 0, "otelcol_exporter_queue_size", `data_type="traces"`)

			require.NoError(t, tt.reject(t.Context(), topic))
			// The broker may take a moment to apply it, in which spans still pass.
			n := uint64(3)
			wait.For(t, "a rejected request", func(ctx context.Context) error {
				send(n)
				n++
				_, err := gateway.OwnMetric(ctx, "otelcol_kafka_exporter_records_total", `outcome="failure"`, `topic="`+topic+`"`)
				return err
			})
			gateway.expectLog(t, "kafka records export failed", tt.log)
			send(n, n+1, n+2)
			gateway.KillAndRestart(t)
			send(n + 3)
			wait.For(t, "a rejected request after the restart", func(ctx context.Context) error {
				_, err := gateway.OwnMetric(ctx, "otelcol_kafka_exporter_records_total", `outcome="failure"`, `topic="`+topic+`"`)
				return err
			})

			require.NoError(t, tt.restore(t.Context(), topic))
			gateway.expectMetric(t, 0, "otelcol_exporter_queue_size", `data_type="traces"`)
			assert.ElementsMatch(t, accepted, r.spansInKafka(t))
			_, err := gateway.OwnMetric(t.Context(), "otelcol_exporter_send_failed_spans_total")
			assert.Error(t, err, "nothing was dropped")
		})
	}
}

// What exceeds the gateway's own limit can never be sent: it is dropped, counted and logged with its size. Nothing
// else is.
func TestTooLargeForTheGatewayIsCounted(t *testing.T) {
	r := newRigWith(
		t, rigOptions{gateways: 1, overlays: []string{"yaml:exporters::kafka::producer::max_message_bytes: 100000"}},
	)
	gateway := r.gateways[0]
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(span(t, 1))
	require.NoError(t, err)
	event := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Events().AppendEmpty()
	event.SetName("exception")
	event.Attributes().PutStr("exception.stacktrace", incompressible(200_000)) // dify_filter keeps it
	require.Equal(t, http.StatusOK, export(t, gateway.OTLPHTTP, "traces", protobuf, tracesProto(t, td)))
	gateway.expectLog(t, "kafka record exceeds max message size", `"max_message_bytes": 100000`)
	var others []string
	for n := uint64(2); n < 20; n++ {
		require.Equal(t, http.StatusOK, export(t, gateway.OTLPHTTP, "traces", protobuf, span(t, n)))
		others = append(others, spanIDs(n)...)
	}
	gateway.expectMetric(t, 0, "otelcol_exporter_queue_size", `data_type="traces"`)
	gateway.expectMetric(t, 1, "otelcol_exporter_send_failed_spans_total", `exporter="kafka"`)
	assert.ElementsMatch(t, others, r.spansInKafka(t))
}
