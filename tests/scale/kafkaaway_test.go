// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// ownKafka returns a Kafka that was started here: it can be halted, and has a listener with TLS and a login.
func ownKafka(t *testing.T) *servers.Kafka {
	t.Helper()
	if shared := servers.SharedKafka(t); shared.Secure != "" {
		return shared
	}
	return servers.Run(t, servers.StartOwnKafka)
}

// What a gateway acknowledged while Kafka was unavailable is in Kafka when it is back. The gateway can't shut down
// meanwhile, because the stock exporter's send is not canceled, so it is killed. It starts without Kafka.
func TestGatewayKeepsWhatKafkaDoesNotTake(t *testing.T) {
	kafka := ownKafka(t)
	r := newRigWith(
		t, rigOptions{gateways: 1, kafka: kafka, overlays: []string{"yaml:exporters::kafka::sending_queue::queue_size: 30"}},
	)
	gateway := r.gateways[0]
	require.NoError(t, kafka.Halt(true))
	var acknowledged []string
	n, answer := uint64(1), http.StatusOK
	for ; answer == http.StatusOK; n++ {
		if answer = export(t, gateway.OTLPHTTP, "traces", protobuf, span(t, n)); answer == http.StatusOK {
			acknowledged = append(acknowledged, spanIDs(n)...)
		}
	}
	assert.Equal(t, http.StatusServiceUnavailable, answer, "the queue is full: the sender may try again")
	assert.Equal(t, codes.Unavailable, status.Code(exportGRPC(t, gateway.OTLPGRPC, span(t, n))))
	assert.Len(t, acknowledged, 30)

	require.NoError(t, syscall.Kill(gateway.Pid(), syscall.SIGTERM))
	gateway.expectLog(t, "Starting shutdown...")
	gateway.KillAndRestart(t)
	require.NoError(t, kafka.Resume(t.Context()))
	gateway.expectMetric(t, 0, "otelcol_exporter_queue_size", `exporter="kafka"`, `data_type="traces"`)
	assert.ElementsMatch(t, acknowledged, r.spansInKafka(t))
}

// spansInKafka returns the distinct document ids of the spans in the topic.
func (r *rig) spansInKafka(t *testing.T) []string {
	t.Helper()
	messages, err := r.kafka.Messages(t.Context(), r.topic("traces"))
	require.NoError(t, err)
	seen, ids := map[string]bool{}, []string{}
	for _, message := range messages {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(message.Value)
		require.NoError(t, err)
		recordings.EachSpan(td, func(_ string, span ptrace.Span) {
			if id := spanID(span.TraceID().String(), span.SpanID().String()); !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		})
	}
	return ids
}

func exportGRPC(t *testing.T, address string, body []byte) error {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	request := ptraceotlp.NewExportRequest()
	require.NoError(t, request.UnmarshalProto(body))
	_, err = ptraceotlp.NewGRPCClient(conn).Export(t.Context(), request)
	return err
}
