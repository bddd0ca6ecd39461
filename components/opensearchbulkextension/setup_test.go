// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulktest"
)

// steps is a server that responds to setup requests in order, with the last response for all further ones, and keeps
// the requests.
type steps struct {
	*httptest.Server

	mu        sync.Mutex
	responses []step // guarded by mu, as below
	requests  []*http.Request
}

type step func(w http.ResponseWriter)

func newSteps(t *testing.T, responses []step) *steps {
	t.Helper()
	s := &steps{responses: responses}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, r)
		s.responses[0](w)
		if len(s.responses) > 1 {
			s.responses = s.responses[1:]
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *steps) received() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func respond(status int, body string) step {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestDashboardsBlockNothing(t *testing.T) {
	node := newFakeNode(t)
	*gate(node, nil) = true
	notReady := respond(http.StatusServiceUnavailable, "OpenSearch Dashboards server is not ready yet")
	dashboards := newSteps(t, []step{
		notReady, notReady, respond(http.StatusForbidden, `{"statusCode":403,"error":"Forbidden","message":"no permissions"}`),
	})
	cfg := setupConfig(node.URL)
	cfg.Setup.Dashboards.Endpoint = dashboards.URL + "/path/"
	cfg.Setup.Dashboards.Headers = configopaque.MapList{{Name: "securitytenant", Value: "team"}}
	r := start(t, cfg, newTestHost(t))
	_, _, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	node.once(t, "l"+day+"a")
	require.Eventually(
		t,
		func() bool { return r.logs.FilterMessageSnippet("part of the setup is rejected").Len() == 1 },
		testTime,
		testTick,
	)
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("does not succeed yet").Len(), "logged once")
	asked := dashboards.received()
	require.Len(t, asked, 3)
	assert.Equal(t, "/path/api/saved_objects/_bulk_get", asked[0].URL.Path)
	assert.Equal(t, "true", asked[0].Header.Get("osd-xsrf"))
	assert.Equal(t, []string{"team"}, asked[0].Header.Values("securitytenant"), "the configuration wins")
}

func TestRetentionIsTriedBeforeDocumentsAndRetriedAlongside(t *testing.T) {
	node := newFakeNode(t)
	asked, early := 0, 0
	node.other = func(w http.ResponseWriter, r *http.Request) {
		node.mu.Lock()
		defer node.mu.Unlock()
		switch {
		case strings.HasPrefix(r.URL.Path, "/_plugins/_ism/") && asked < 2:
			asked++
			if asked == 1 {
				early = len(node.docs)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Method == http.MethodGet:
			w.WriteHeader(http.StatusNotFound)
		}
	}
	r := start(t, setupConfig(node.URL), newTestHost(t))
	_, _, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	node.once(t, "l"+day+"a")
	require.Eventually(
		t,
		func() bool { return r.logs.FilterMessageSnippet("The retention policy is written").Len() == 1 },
		testTime,
		testTick,
	)
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("does not succeed yet").Len())
	assert.Zero(t, early, "documents wait for the first try")
}

func TestOneKeyTurnsTheSetupOff(t *testing.T) {
	node := newFakeNode(t)
	node.other = func(http.ResponseWriter, *http.Request) { assert.Fail(t, "a setup request") }
	dashboards := newSteps(t, []step{respond(http.StatusOK, "{}")})
	cfg := setupConfig(node.URL)
	cfg.Setup.Enabled = false
	cfg.Setup.Dashboards.Endpoint = dashboards.URL
	r := start(t, cfg, newTestHost(t))
	_, _, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Empty(t, dashboards.received())
}
