// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difystatusextension

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-dify/otelcol-dify/components/difystatusextension/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/difystatusextension/internal/page"
)

const metrics = `otelcol_process_uptime_seconds_total 7200
otelcol_receiver_accepted_spans_total{receiver="otlp",transport="http"} 12
otelcol_receiver_refused_spans_total{receiver="otlp",transport="http"} 2
otelcol_workflow_log_reading{} 1
otelcol_workflow_log_open_runs{} 3
otelcol_workflow_log_runs_total{outcome="stuck"} 1
otelcol_workflow_log_checkpoint_age_seconds{} 4
otelcol_exporter_sent_spans_total{exporter="sentry"} 7
otelcol_exporter_queue_size{exporter="sentry",data_type="traces"} 600
otelcol_exporter_queue_capacity{exporter="sentry",data_type="traces"} 1000
otelcol_dify_filter_dropped_items_total{rule="health_check<b>",kind="span"} 9
otelcol_dify_filter_redacted_values_total{reason="content",place="attribute"} 0
target_info{job="dify/langgenius/dify",instance="a",service_version="1.20.0",telemetry_sdk_language="python"} 1
target_info{job="dify/langgenius/dify",instance="b",service_version="1.20.0",telemetry_sdk_language="python"} 1
celery_queue_length{celery_queue="dataset"} 5
`

func started(t *testing.T, change func(*Config)) (*statusExtension, string) {
	t.Helper()
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, metrics)
	}))
	t.Cleanup(source.Close)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint = listener.Addr().String()
	require.NoError(t, listener.Close())
	change(cfg)
	e := newStatus(cfg, extensiontest.NewNopSettings(metadata.Type))
	host, port, err := net.SplitHostPort(source.Listener.Addr().String())
	require.NoError(t, err)
	conf := confmap.NewFromStringMap(map[string]any{
		"exporters": map[string]any{"prometheus": map[string]any{"endpoint": source.Listener.Addr().String()}},
		"service": map[string]any{"telemetry": map[string]any{"metrics": map[string]any{"readers": []any{map[string]any{
			"pull": map[string]any{"exporter": map[string]any{"prometheus": map[string]any{"host": host, "port": port}}},
		}}}}},
	})
	require.NoError(t, e.NotifyConfigSnapshot(t.Context(), extensioncapabilities.NewConfigSnapshot(conf, conf)))
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, e.Shutdown(context.WithoutCancel(t.Context()))) })
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return e, "http://" + cfg.Endpoint
}

func get(t *testing.T, url, password string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	if password != "" {
		req.SetBasicAuth("any", password)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func TestStatus(t *testing.T) {
	e, url := started(t, func(*Config) {})
	id := componentstatus.NewInstanceID(component.MustNewID("sentry"), component.KindExporter)
	e.Changed(id, componentstatus.NewEvent(componentstatus.StatusStarting))
	e.Changed(id, componentstatus.NewRecoverableErrorEvent(errors.New("Sentry is away")))
	page.Observe(e.history, e.fetch(t.Context(), e.own), time.Now())

	_, body := get(t, url+"/status.json", "")
	var s page.Status
	require.NoError(t, json.Unmarshal([]byte(body), &s))
	assert.Equal(t, []page.Source{
		{Service: "dify/langgenius/dify", Version: "1.20.0", Emitter: "python", Processes: 2},
	}, s.Sources)
	require.Len(t, s.Receivers, 1)
	assert.InDelta(t, 12, s.Receivers[0].Accepted, 0)
	assert.InDelta(t, 2, s.Receivers[0].Refused, 0)
	assert.False(t, s.Receivers[0].LastSeen.IsZero())
	assert.Equal(t, []page.Tail{{Reading: true, Lag: 4, OpenRuns: 3, StuckRuns: 1}}, s.Tails)
	assert.Equal(t, []page.Queue{{Name: "dataset", Length: 5}}, s.Queues)
	require.Len(t, s.Destinations, 1)
	d := s.Destinations[0]
	assert.Equal(t, "Sentry is away", d.Error)
	assert.InDelta(t, 600, d.Waiting, 0)
	assert.False(t, d.LastSuccess.IsZero())
	assert.Equal(t, []page.Removal{{What: "dropped", Rule: "health_check<b>, span", Count: 9}}, s.Removed)
	assert.Contains(t, s.Hints, "exporter sentry: Sentry is away")
	assert.Contains(t, s.Hints, "The queue of sentry (traces) is more than half full")

	resp, body := get(t, url, "")
	assert.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))
	assert.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Contains(t, body, "health_check&lt;b&gt;")
	assert.Contains(t, body, "up 2 h")
	resp, _ = get(t, url+"/other", "")
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)

	e.Changed(id, componentstatus.NewEvent(componentstatus.StatusOK))
	_, body = get(t, url+"/status.json", "")
	assert.NotContains(t, body, "Sentry is away")
}

func TestKey(t *testing.T) {
	_, url := started(t, func(cfg *Config) { cfg.Key = "s3cret" })
	for password, want := range map[string]int{
		"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, "s3cret": http.StatusOK,
	} {
		resp, body := get(t, url, password)
		assert.Equal(t, want, resp.StatusCode)
		assert.NotContains(t, body, "s3cret")
	}
}

func TestWithoutMetrics(t *testing.T) {
	e, url := started(t, func(*Config) {})
	e.own, e.dify = "127.0.0.1:1", ""
	resp, body := get(t, url, "")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Contains(t, body, "Nothing was received since the start")
}

func TestPortInUse(t *testing.T) {
	e, _ := started(t, func(*Config) {})
	other := newStatus(e.cfg, extensiontest.NewNopSettings(metadata.Type))
	require.ErrorContains(t, other.Start(t.Context(), componenttest.NewNopHost()), "`endpoint` (OTELCOL_STATUS_ENDPOINT): ")
	require.NoError(t, other.Shutdown(t.Context()))

	core, logs := observer.New(zap.WarnLevel)
	s := states{logger: zap.New(core)}
	s.set(componentstatus.NewInstanceID(component.MustNewID("otlp"), component.KindReceiver),
		componentstatus.NewPermanentErrorEvent(errors.New("listen tcp 127.0.0.1:4317: bind: address already in use")))
	require.Equal(t, 1, logs.Len())
	assert.Contains(t, logs.All()[0].Message, "stop it, or set OTELCOL_OTLP_GRPC_ENDPOINT or OTELCOL_OTLP_HTTP_ENDPOINT")
}

func TestConfigFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		section map[string]any
		want    string
	}{
		"unknown":  {map[string]any{"endpont": "x"}, "`endpont` is not a key; did you mean `endpoint`?"},
		"interval": {map[string]any{"interval": 15}, "add the unit, as in `interval: 15s`"},
		"endpoint": {map[string]any{"endpoint": "nowhere"}, "`endpoint` must be an address such as 127.0.0.1:13134"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			require.NoError(t, confmap.NewFromStringMap(tt.section).Unmarshal(cfg))
			require.ErrorContains(t, confmap.Validate(cfg), tt.want)
		})
	}
	require.NoError(t, confmap.Validate(createDefaultConfig()))
}
