// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// With sasl.yaml everything uses TLS and a login. A wrong password is logged as such, without the password, and loses
// nothing once it is corrected.
func TestTLSAndLogin(t *testing.T) {
	const wrong, refused = "wr0ng-passw0rd-0f-this-test", "SASL Authentication failed"
	kafka := ownKafka(t)
	r := newRigWith(t, rigOptions{
		kafka: kafka,
		env: map[string]string{
			"OTELCOL_KAFKA_BROKERS": kafka.Secure, "OTELCOL_KAFKA_CA_FILE": kafka.CAFile,
			"OTELCOL_KAFKA_USERNAME": servers.KafkaUser,
		},
		overlays: []string{"yaml:service::telemetry::logs::level: debug"},
	})
	start := func(password, mechanism, storage, file string) *instance {
		r.opts.env["OTELCOL_KAFKA_PASSWORD"], r.opts.env["OTELCOL_KAFKA_SASL_MECHANISM"] = password, mechanism
		return r.start(t, storage, file, "sasl.yaml")
	}

	for i, mechanism := range []string{"SCRAM-SHA-512", "PLAIN"} {
		n := uint64(i + 1)
		gateway := start(wrong, mechanism, "", "gateway.yaml")
		require.Equal(t, http.StatusOK, export(t, gateway.OTLPHTTP, "traces", protobuf, span(t, n)))
		gateway.expectLog(t, refused, "\terror\t", mechanismError[mechanism])
		gateway.Kill(t)
		reader := start(wrong, mechanism, "", "writer.yaml")
		reader.expectLog(t, refused, "\terror\t", mechanismError[mechanism], `"kafka/traces"`)
		reader.Terminate(t)
		for _, locked := range []*instance{gateway, reader} {
			assert.NotContains(t, locked.Log(), wrong)
		}

		gateway = start(servers.KafkaPassword, mechanism, gateway.storage, "gateway.yaml")
		require.Equal(
			t, http.StatusOK, export(t, gateway.OTLPHTTP, "metrics", protobuf, gauge(t, fmt.Sprint("login.", n), 1)),
		)
		metrics := start(servers.KafkaPassword, mechanism, "", "metrics.yaml")
		wait.For(
			t, "the metric", func(ctx context.Context) error { return shows(ctx, metrics.Prometheus, fmt.Sprint("login_", n)) },
		)
		writer := start(servers.KafkaPassword, mechanism, reader.storage, "writer.yaml")
		assert.Contains(t, documentIDs(r.expectDocuments(t, i+1, spanIndices)), spanIDs(n)[0])
		for _, open := range []*instance{gateway, writer, metrics} {
			open.Terminate(t)
		}
	}
}

// mechanismError is Kafka's error for a wrong password.
var mechanismError = map[string]string{
	"SCRAM-SHA-512": "invalid credentials with SASL mechanism SCRAM-SHA-512",
	"PLAIN":         "Invalid username or password",
}
