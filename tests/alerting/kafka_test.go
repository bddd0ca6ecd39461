// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

const (
	aSpan = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"dify"}}]},"scopeSpans":[{"spans":[
		{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"POST /x","kind":2,
		"startTimeUnixNano":"1790000000000000000","endTimeUnixNano":"1790000001000000000"}]}]}]}`
	aMetric = `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"dify"}}]},"scopeMetrics":[{"metrics":[
		{"name":"app.requests","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
		{"startTimeUnixNano":"1790000000000000000","timeUnixNano":"1790000001000000000","asInt":"1"}]}}]}]}]}`
)

// TestKafkaAlertsSeeWhatCollectorsTell gives a real Kafka a topic without a consumer that rejects one record for its
// size, and a message that is not telemetry. The expression of each alert about Kafka must then have data, which it
// doesn't if a name in it is wrong.
func TestKafkaAlertsSeeWhatCollectorsTell(t *testing.T) {
	kafka := servers.Run(t, servers.StartKafka)
	const prefix = "alerting"
	const limit = 10_000 // bytes
	require.NoError(t, kafka.CreateTopicsLimited(t.Context(), 1, limit, prefix+"-traces", prefix+"-metrics"))
	t.Cleanup(func() {
		_ = kafka.DeleteTopics(context.WithoutCancel(t.Context()), prefix+"-traces", prefix+"-metrics")
	})
	_, err := kafka.Produce(t.Context(), prefix+"-metrics", 0, []byte("no telemetry"))
	require.NoError(t, err)

	env := map[string]string{
		"OTELCOL_KAFKA_BROKERS": kafka.Brokers, "OTELCOL_KAFKA_TOPIC_PREFIX": prefix,
		"OTELCOL_FLUENT_ENDPOINT": "127.0.0.1:0",
	}
	gateway := collector.Start(
		t, collector.Options{Configs: []string{repo.Path("config", "scale", "gateway.yaml")}, Env: env},
	)
	metrics := collector.Start(
		t, collector.Options{Configs: []string{repo.Path("config", "scale", "metrics.yaml")}, Env: env},
	)
	prometheus := servers.Run(t, func(ctx context.Context) (*servers.Prometheus, error) {
		return servers.StartPrometheus(ctx, gateway.Telemetry, metrics.Telemetry)
	})
	tooLarge := strings.Replace(
		aSpan,
		`"kind":2,`,
		`"kind":2,"attributes":[{"key":"code.file.path","value":{"stringValue":"`+incompressible(2*limit)+`"}}],`,
		1,
	)
	require.NoError(t, sendJSON(t.Context(), "http://"+gateway.OTLPHTTP+"/v1/traces", tooLarge))
	for alert, expr := range kafkaAlerts(t) {
		t.Run(alert, func(t *testing.T) {
			wait.For(t, "data for "+expr, func(ctx context.Context) error {
				if err := sendJSON(ctx, "http://"+gateway.OTLPHTTP+"/v1/traces", aSpan); err != nil {
					return err
				}
				if err := sendJSON(ctx, "http://"+gateway.OTLPHTTP+"/v1/metrics", aMetric); err != nil {
					return err
				}
				samples, err := prometheus.Query(ctx, expr)
				if err == nil && len(samples) == 0 {
					err = fmt.Errorf("no data: %s", expr)
				}
				return err
			})
		})
	}
}

// kafkaAlerts are the expressions of the alerts about Kafka, without their limits.
func kafkaAlerts(t *testing.T) map[string]string {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(shipped(t, "prometheus", "rules", "pipeline.yaml")), &rules))
	alerts := map[string]string{}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if strings.Contains(rule.Expr, "otelcol_kafka_") {
				expr := shortened(rule.Expr)
				require.Regexp(t, limit, expr, "%s: an alert ends in its limit", rule.Alert)
				alerts[rule.Alert] = limit.ReplaceAllString(expr, "")
			}
		}
	}
	require.NotEmpty(t, alerts)
	return alerts
}

// incompressible returns paths of at least that many bytes. Redaction keeps them under a key for paths.
func incompressible(size int) string {
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, "/app/api/%x/%x.py ", rand.Uint64(), rand.Uint64())
	}
	return b.String()
}

func sendJSON(ctx context.Context, url, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
