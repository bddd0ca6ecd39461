// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/receiver"
)

// contractReceiver replaces Sentry: it turns envelopes back into data, and the consumer's result into a status.
type contractReceiver struct {
	component.StartFunc
	component.ShutdownFunc
	traces consumer.Traces
	logs   consumer.Logs
}

func (c *contractReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	env, status, err := decodeRequest(req)
	if err != nil {
		w.WriteHeader(status)
		return
	}
	for _, item := range env.items {
		if err = c.consume(req.Context(), item); err != nil {
			break
		}
	}
	switch {
	case err == nil:
	case consumererror.IsPermanent(err):
		w.WriteHeader(http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (c *contractReceiver) consume(ctx context.Context, item envelopeItem) error {
	const idName = "test_id"
	switch item.header["type"] {
	case "transaction":
		var tx struct {
			Contexts struct {
				Trace struct {
					Data map[string]string `json:"data"`
				} `json:"trace"`
			} `json:"contexts"`
		}
		if err := json.Unmarshal(item.payload, &tx); err != nil {
			return consumererror.NewPermanent(err)
		}
		td := ptrace.NewTraces()
		td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Attributes().
			PutStr(idName, tx.Contexts.Trace.Data[idName])
		return c.traces.ConsumeTraces(ctx, td)
	case "log":
		var logs struct {
			Items []struct {
				Attributes map[string]struct{ Value any } `json:"attributes"`
			} `json:"items"`
		}
		if err := json.Unmarshal(item.payload, &logs); err != nil {
			return consumererror.NewPermanent(err)
		}
		ld := plog.NewLogs()
		ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Attributes().
			PutStr(idName, logs.Items[0].Attributes[idName].Value.(string))
		return c.logs.ConsumeLogs(ctx, ld)
	default:
		return nil
	}
}

func TestConsumeContract(t *testing.T) {
	c := &contractReceiver{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	cfg := createDefaultConfig().(*Config)
	cfg.DSN = configopaque.String("http://" + testKey + "@" + strings.TrimPrefix(server.URL, "http://") + "/1")
	cfg.Logs.MinSeverity = "trace"
	cfg.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]() // the checker looks when Consume returns
	cfg.RetryConfig.InitialInterval = time.Millisecond
	cfg.RetryConfig.MaxInterval = time.Millisecond

	mock := receiver.NewFactory(
		component.MustNewType("sentry_server"),
		func() component.Config { return &struct{}{} },
		receiver.WithTraces(
			func(_ context.Context, _ receiver.Settings, _ component.Config, next consumer.Traces) (receiver.Traces, error) {
				c.traces = next
				return c, nil
			},
			component.StabilityLevelStable,
		),
		receiver.WithLogs(
			func(_ context.Context, _ receiver.Settings, _ component.Config, next consumer.Logs) (receiver.Logs, error) {
				c.logs = next
				return c, nil
			},
			component.StabilityLevelStable,
		),
	)
	for _, signal := range []pipeline.Signal{pipeline.SignalTraces, pipeline.SignalLogs} {
		t.Run(signal.String(), func(t *testing.T) {
			exportertest.CheckConsumeContract(exportertest.CheckConsumeContractParams{
				T: t, NumberOfTestElements: 30, Signal: signal,
				ExporterFactory: NewFactory(), ExporterConfig: cfg, ReceiverFactory: mock,
			})
		})
	}
}
