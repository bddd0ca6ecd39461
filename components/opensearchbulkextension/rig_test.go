// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
)

var (
	storageID = component.MustNewID("test_storage")
	bulkID    = component.NewID(metadata.Type)
)

type testHost struct {
	extensions map[component.ID]component.Component

	mu       sync.Mutex
	statuses []componentstatus.Status
}

func (h *testHost) Report(event *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.statuses = append(h.statuses, event.Status())
}

func (h *testHost) reported() []componentstatus.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.statuses
}

func (h *testHost) GetExtensions() map[component.ID]component.Component { return h.extensions }

// newTestHost has a real file storage of its own.
func newTestHost(t *testing.T) *testHost {
	t.Helper()
	return newHostWithStorage(t, t.TempDir())
}

func newHostWithStorage(t *testing.T, directory string) *testHost {
	t.Helper()
	factory := filestorage.NewFactory()
	cfg := factory.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = directory
	ext, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return &testHost{extensions: map[component.ID]component.Component{storageID: ext}}
}

func testConfig() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Storage = &storageID
	cfg.Retry = RetryConfig{InitialInterval: time.Millisecond, MaxInterval: 5 * time.Millisecond}
	cfg.AttemptTimeout = 10 * time.Second
	cfg.Setup.RetentionDays = 3650 // the documents of the tests have fixed days
	return cfg
}

// rig is a started extension with what it says about itself.
type rig struct {
	*bulkExtension
	host *testHost
	tel  *componenttest.Telemetry
	logs *observer.ObservedLogs
}

func start(t *testing.T, cfg *Config, host *testHost, change ...func(*bulkExtension)) *rig {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	core, logs := observer.New(zap.DebugLevel)
	set := extension.Settings{ID: bulkID, TelemetrySettings: tel.NewTelemetrySettings()}
	set.Logger = zap.New(core)
	ext, err := newExtension(cfg, set)
	require.NoError(t, err)
	for _, apply := range change {
		apply(ext)
	}
	require.NoError(t, ext.Start(t.Context(), host))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	host.extensions[bulkID] = ext
	return &rig{ext, host, tel, logs}
}

// client is what an exporter's HTTP client is made of.
func (r *rig) client(t *testing.T) *http.Client {
	t.Helper()
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: r.wrap(t, base)}
}

// wrap puts the middleware around base, as an exporter's client does.
func (r *rig) wrap(t *testing.T, base http.RoundTripper) http.RoundTripper {
	t.Helper()
	wrapper, err := r.GetHTTPRoundTripper(t.Context())
	require.NoError(t, err)
	transport, err := wrapper(t.Context(), base)
	require.NoError(t, err)
	return transport
}

// post sends a bulk request and returns the response's status and body.
func post(ctx context.Context, client *http.Client, url string, body []byte, headers ...string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/_bulk", strings.NewReader(string(body)))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	response, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(response), err
}
