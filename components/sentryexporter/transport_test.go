// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/configopaque"
)

func TestTLS(t *testing.T) {
	r := newRelay(t)
	server := httptest.NewTLSServer(http.HandlerFunc(r.serve))
	t.Cleanup(server.Close)
	cfg := testConfig("https://" + testKey + "@" + strings.TrimPrefix(server.URL, "https://") + "/1")
	cfg.ClientConfig.TLS.CAPem = configopaque.String(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	)
	h := startHarness(t, cfg, componenttest.NewNopHost(), nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	r.requireAccepted(t, "event", 1)
	r.requireNoFaults(t)
}

// TestProxy names a host that only a proxy could know.
func TestProxy(t *testing.T) {
	r := newRelay(t)
	hosts := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		hosts <- req.URL.Host
		r.serve(w, req)
	}))
	t.Cleanup(proxy.Close)
	cfg := testConfig("http://" + testKey + "@sentry.invalid/1")
	cfg.ClientConfig.ProxyURL = proxy.URL
	h := startHarness(t, cfg, componenttest.NewNopHost(), nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	r.requireAccepted(t, "event", 1)
	r.requireNoFaults(t)
	assert.Equal(t, "sentry.invalid", <-hosts)
}

func TestCompression(t *testing.T) {
	for name, want := range map[configcompression.Type]string{
		"gzip": "gzip", "none": "", "zstd": "zstd", "deflate": "deflate",
	} {
		t.Run(string(name), func(t *testing.T) {
			type request struct {
				encoding string
				length   int64
				body     []byte
			}
			requests := make(chan request, 10)
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
				body, _ := io.ReadAll(req.Body)
				requests <- request{req.Header.Get("Content-Encoding"), req.ContentLength, body}
			}))
			t.Cleanup(server.Close)
			cfg := testConfig("http://" + testKey + "@" + strings.TrimPrefix(server.URL, "http://") + "/1")
			cfg.ClientConfig.Compression = name
			h := startHarness(t, cfg, componenttest.NewNopHost(), nil)
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
			got := <-requests
			assert.Equal(t, want, got.encoding)
			assert.EqualValues(t, len(got.body), got.length, "the length is known in advance")
			if want == "" {
				assert.Contains(t, string(got.body), `{"type":"`)
			}
		})
	}
}

func TestVersionOfTheBuild(t *testing.T) {
	agents := make(chan [2]string, 10)
	r := newRelay(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		agents <- [2]string{req.Header.Get("User-Agent"), req.Header.Get("X-Sentry-Auth")}
		r.serve(w, req)
	}))
	t.Cleanup(proxy.Close)
	cfg := testConfig("http://" + testKey + "@sentry.invalid/1")
	cfg.ClientConfig.ProxyURL = proxy.URL
	h := startHarness(t, cfg, componenttest.NewNopHost(), nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), 1)))
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), logsOf(time.Now(), 1)))
	r.requireAccepted(t, "event", 1)
	r.requireAccepted(t, "transaction", 1)
	r.requireAccepted(t, "log", 1)
	for range 3 {
		agent := <-agents
		assert.Equal(t, "otelcol-dify.sentry/"+testVersion, agent[0])
		assert.Contains(t, agent[1], "sentry_client=otelcol-dify.sentry/"+testVersion+",")
	}
	for _, typ := range []string{"event", "transaction"} {
		assert.Equal(t, map[string]any{"name": "otelcol-dify.sentry", "version": testVersion}, r.payloads(t, typ)[0]["sdk"])
	}
	log := r.payloads(t, "log")[0]["items"].([]any)[0]
	assert.Equal(t, testVersion, at(t, log, "attributes", "sentry.sdk.version", "value"))
	r.requireNoFaults(t)
}
