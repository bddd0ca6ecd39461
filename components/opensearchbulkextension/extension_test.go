// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulktest"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadata"
)

func setupConfig(endpoint string) *Config {
	cfg := testConfig()
	cfg.HTTP.Endpoint = endpoint
	cfg.Setup.Enabled = true
	return cfg
}

// gate responds to template requests as the test requires, and with 404 and 200 once it is open.
func gate(node *fakeNode, closed func() (int, string)) *bool {
	open := false
	node.other = func(w http.ResponseWriter, r *http.Request) {
		node.mu.Lock()
		defer node.mu.Unlock()
		if !open {
			status, body := closed()
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
		}
	}
	return &open
}

func TestDocumentsWaitForSetup(t *testing.T) {
	node := newFakeNode(t)
	open := gate(node, func() (int, string) { return http.StatusServiceUnavailable, "" })
	r := start(t, setupConfig(node.URL), newTestHost(t))
	client := r.client(t)
	done := make(chan error, 1)
	go func() {
		_, _, err := post(t.Context(), client, node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
		done <- err
	}()
	require.Eventually(
		t,
		func() bool { return r.logs.FilterMessageSnippet("requests are retried").Len() == 1 },
		testTime,
		testTick,
	)
	require.Empty(t, done)
	require.Zero(t, node.requests(), "no document before the templates")
	node.mu.Lock()
	*open = true
	node.mu.Unlock()
	require.NoError(t, <-done)
	node.once(t, "l"+day+"a")
	assert.Equal(t, 4, r.logs.FilterMessageSnippet("The index template otelcol-dify-").Len())
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("accepts documents again").Len())
}

func TestRejectedSetupDoesNotBlockDocuments(t *testing.T) {
	node := newFakeNode(t)
	gate(node, func() (int, string) {
		return http.StatusForbidden, `{"error":{"type":"security_exception","reason":"no permissions"}}`
	})
	r := start(t, setupConfig(node.URL), newTestHost(t))
	_, _, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	node.once(t, "l"+day+"a")
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("rejects the setup").Len())
}

// An outage at the start is over once OpenSearch responds, even if it responds with a rejection.
func TestOutageBeforeARejectionEnds(t *testing.T) {
	node := newFakeNode(t)
	asked := 0
	gate(node, func() (int, string) {
		asked++
		if asked <= 2 {
			return http.StatusServiceUnavailable, ""
		}
		return http.StatusForbidden, `{"error":{"type":"security_exception","reason":"no permissions"}}`
	})
	r := start(t, setupConfig(node.URL), newTestHost(t))
	_, _, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("requests are retried").Len())
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("accepts documents again").Len())
	assert.Equal(
		t,
		[]componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK},
		r.host.reported(),
	)
}

func TestReleaseBeforeSetupStores(t *testing.T) {
	node := newFakeNode(t)
	gate(node, func() (int, string) { return http.StatusServiceUnavailable, "" })
	r := start(t, setupConfig(node.URL), newTestHost(t))
	require.NoError(t, r.NotReady())
	code, response, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	requireSuccess(t, code, response, 1)
	assert.Zero(t, node.requests())
	assert.Len(t, r.store.Entries(), 1)
}

func TestStartFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(cfg *Config, host *testHost)
		want   string
	}{
		"no such storage": {
			func(_ *Config, host *testHost) { delete(host.extensions, storageID) },
			"`storage`: there is no extension \"test_storage\": add it",
		},
		"not a storage": {
			func(_ *Config, host *testHost) { host.extensions[storageID] = &bulkExtension{} },
			"`storage`: the extension \"test_storage\" is not a storage extension",
		},
		"no such certificate": {
			func(cfg *Config, _ *testHost) {
				cfg.HTTP.Endpoint = "https://127.0.0.1:1"
				cfg.HTTP.TLS = configtls.ClientConfig{Config: configtls.Config{CAFile: filepath.Join("testdata", "none.pem")}}
			},
			"`http`: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, host := testConfig(), newTestHost(t)
			tt.change(cfg, host)
			ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), cfg)
			require.NoError(t, err)
			require.ErrorContains(t, ext.Start(t.Context(), host), tt.want)
			require.NoError(t, ext.Shutdown(t.Context()))
		})
	}
}

func TestLifecycleWithoutOpenSearch(t *testing.T) {
	ext, err := newExtension(setupConfig("http://127.0.0.1:1"), extensiontest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	_, err = ext.GetHTTPRoundTripper(t.Context())
	require.ErrorContains(t, err, "is not started")
	before := time.Now()
	require.NoError(t, ext.Start(t.Context(), newTestHost(t)), "a start does not wait for OpenSearch")
	require.NoError(t, ext.Ready())
	require.NoError(t, ext.NotReady())
	require.NoError(t, ext.NotReady())
	require.NoError(t, ext.Shutdown(t.Context()))
	require.NoError(t, ext.Shutdown(t.Context()))
	assert.Less(t, time.Since(before), 5*time.Second)

	never, err := newExtension(testConfig(), extensiontest.NewNopSettings(metadata.Type))
	require.NoError(t, err)
	require.NoError(t, never.Shutdown(t.Context()))
	require.Error(t, never.Start(t.Context(), componenttest.NewNopHost()))
}

func TestWarnsOfPipelinesThatLeakOrLose(t *testing.T) {
	r := start(t, testConfig(), newTestHost(t))
	effective := confmap.NewFromStringMap(map[string]any{
		"exporters": map[string]any{"opensearch": map[string]any{}},
		"service": map[string]any{"pipelines": map[string]any{
			"traces": map[string]any{"processors": []any{"batch"}, "exporters": []any{"opensearch"}},
		}},
	})
	snapshot := extensioncapabilities.NewConfigSnapshot(effective, confmap.New())
	require.NoError(t, r.NotifyConfigSnapshot(t.Context(), snapshot))
	warnings := r.logs.FilterMessageSnippet("The configuration gives up a guarantee: ")
	require.Equal(t, 3, warnings.Len())
	for _, part := range []string{"has no dify_filter", "has batch", "does not name opensearch_bulk"} {
		assert.Equal(t, 1, warnings.FilterMessageSnippet(part).Len(), part)
	}
}
