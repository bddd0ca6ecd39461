// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/admission"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/metadata"
)

// rig is the stock OTLP receiver with the guard as its middleware.
type rig struct {
	t         testing.TB
	guard     *guard
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
	http      string // base URL
	grpc      string // address

	// consume is called with each request that passed, before the answer.
	consume func(ctx context.Context, items int) error
}

type host struct {
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

func newRig(tb testing.TB, change func(*Config), slots ...*admission.Slots) *rig {
	tb.Helper()
	r := newGuardRig(tb, change)
	if len(slots) > 0 {
		r.guard.slots = slots[0]
	}
	r.startReceiver(r.guard, []any{map[string]any{"id": "otlp_guard"}})
	return r
}

func newGuardRig(tb testing.TB, change func(*Config)) *rig {
	tb.Helper()
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	require.NoError(tb, cfg.Validate())
	r := &rig{t: tb, telemetry: componenttest.NewTelemetry()}
	r.consume = func(context.Context, int) error { return nil }
	core, logs := observer.New(zapcore.InfoLevel)
	r.logs = logs
	set := extensiontest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = r.telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	created, err := NewFactory().Create(tb.Context(), set, cfg)
	require.NoError(tb, err)
	r.guard = created.(*guard)
	return r
}

func (r *rig) startReceiver(guard extension.Extension, middlewares []any) {
	t := r.t
	id := component.NewID(metadata.Type)
	h := host{map[component.ID]component.Component{id: guard}}
	require.NoError(t, guard.Start(t.Context(), h))
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{
		"http": map[string]any{
			"endpoint": "127.0.0.1:0", "max_request_body_size": 64 * mib, "middlewares": middlewares,
		},
		"grpc": map[string]any{
			"endpoint": "127.0.0.1:0", "max_recv_msg_size_mib": 64, "middlewares": middlewares,
		},
	}}).Unmarshal(cfg))
	traces, err := consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
		return r.consume(ctx, td.SpanCount())
	})
	require.NoError(t, err)
	metrics, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		return r.consume(ctx, md.DataPointCount())
	})
	require.NoError(t, err)
	logs, err := consumer.NewLogs(func(ctx context.Context, ld plog.Logs) error {
		return r.consume(ctx, ld.LogRecordCount())
	})
	require.NoError(t, err)
	set := receivertest.NewNopSettings(factory.Type())
	core, receiverLogs := observer.New(zapcore.InfoLevel)
	set.Logger = zap.New(core)
	var receivers []component.Component
	for _, create := range []func() (component.Component, error){
		func() (component.Component, error) { return factory.CreateTraces(t.Context(), set, cfg, traces) },
		func() (component.Component, error) { return factory.CreateMetrics(t.Context(), set, cfg, metrics) },
		func() (component.Component, error) { return factory.CreateLogs(t.Context(), set, cfg, logs) },
	} {
		created, err := create()
		require.NoError(t, err)
		receivers = append(receivers, created)
	}
	for _, created := range receivers { // they share their servers, which the first one starts for all
		require.NoError(t, created.Start(t.Context(), h))
	}
	address := func(message string) string {
		return receiverLogs.FilterMessage(message).All()[0].ContextMap()["endpoint"].(string)
	}
	r.http, r.grpc = "http://"+address("Starting HTTP server"), address("Starting GRPC server")
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		for _, created := range receivers {
			require.NoError(t, created.Shutdown(context.Background()))
		}
		require.NoError(t, guard.Shutdown(context.Background()))
		require.Zero(t, r.guard.memory.Used(), "memory is still reserved")
		require.NoError(t, r.telemetry.Shutdown(context.Background()))
	})
}

// response is an answer over HTTP.
type response struct {
	status      int
	contentType string
	retryAfter  string
	body        []byte
}

func (r *rig) post(path, contentType, contentEncoding string, body io.Reader) response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.http+path, body)
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", contentType)
	if contentEncoding != "" {
		req.Header.Set("Content-Encoding", contentEncoding)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return response{
		status: resp.StatusCode, body: answer,
		contentType: resp.Header.Get("Content-Type"), retryAfter: resp.Header.Get("Retry-After"),
	}
}

func (r *rig) postProtobuf(path string, body []byte) response {
	r.t.Helper()
	return r.post(path, contentTypeProtobuf, "", bytes.NewReader(body))
}

func (r *rig) dial(opts ...grpc.DialOption) *grpc.ClientConn {
	r.t.Helper()
	conn, err := grpc.NewClient(r.grpc, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// eventually waits for an effect, with room for a slow machine.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, time.Millisecond)
}
