// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func post(t *testing.T, h http.Handler, path, encoding string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Encoding", encoding)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func gzipped(t *testing.T, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

func statuses(t *testing.T, w *httptest.ResponseRecorder) (codes []int, failed bool) {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var answer struct {
		Errors bool
		Items  []map[string]struct{ Status int }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	for _, item := range answer.Items {
		for _, res := range item {
			codes = append(codes, res.Status)
		}
	}
	return codes, answer.Errors
}

func TestBulkCreatesOnce(t *testing.T) {
	o := NewOpenSearch()
	body := `{"create":{"_index":"workflow-logs-2026.11.23","_id":"a"}}
{"n":1}
{"create":{"_index":"workflow-logs-2026.11.23","_id":"b"}}
{"n":2}
`
	codes, failed := statuses(t, post(t, o, "/_bulk", "gzip", gzipped(t, body)))
	assert.Equal(t, []int{201, 201}, codes)
	assert.False(t, failed)

	again := `{"create":{"_index":"workflow-logs-2026.11.23","_id":"a"}}
{"n":9}
{"create":{"_id":"c"}}
{"n":3}
{"create":{"_id":"d"}}
not json
`
	codes, failed = statuses(t, post(t, o, "/workflow-logs-2026.11.24/_bulk", "", []byte(again)))
	assert.Equal(t, []int{409, 201, 400}, codes)
	assert.True(t, failed)

	assert.Equal(t, OpenSearchCounts{Bulks: 2, Documents: 3, Conflicts: 1, Rejected: 1}, o.Counts())
	assert.Equal(t, 3, o.Count("workflow-logs-"))
	assert.Equal(t, []string{"workflow-logs-2026.11.23", "workflow-logs-2026.11.24"}, o.Indices())
	assert.Equal(t, Document{Index: "workflow-logs-2026.11.23", ID: "a", Source: json.RawMessage(`{"n":1}`)},
		o.Documents("workflow-logs-")[0])
}

func TestBulkIndexOverwrites(t *testing.T) {
	o := NewOpenSearch()
	for i, want := range []int{201, 200} {
		codes, _ := statuses(
			t, post(t, o, "/x/_bulk", "", []byte("{\"index\":{\"_id\":\"a\"}}\n{\"n\":"+string(rune('0'+i))+"}\n")),
		)
		assert.Equal(t, []int{want}, codes)
	}
	assert.JSONEq(t, `{"n":1}`, string(o.Documents("x")[0].Source))
}

func TestBulkRefusesWhole(t *testing.T) {
	for name, body := range map[string]string{
		"empty":               "",
		"no newline at end":   "{\"create\":{\"_index\":\"x\"}}\n{}",
		"no index":            "{\"create\":{}}\n{}\n",
		"delete":              "{\"delete\":{\"_index\":\"x\",\"_id\":\"a\"}}\n{}\n",
		"unknown action key":  "{\"create\":{\"_index\":\"x\",\"dynamic\":1}}\n{}\n",
		"half an item at end": "{\"create\":{\"_index\":\"x\"}}\n{}\n{\"create\":{\"_index\":\"x\"}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := NewOpenSearch()
			assert.Equal(t, http.StatusBadRequest, post(t, o, "/_bulk", "", []byte(body)).Code)
			assert.Equal(t, OpenSearchCounts{Bulks: 1, Rejected: 1}, o.Counts())
		})
	}
	t.Run("unknown encoding", func(t *testing.T) {
		assert.Equal(t, http.StatusBadRequest, post(t, NewOpenSearch(), "/_bulk", "snappy", []byte("x")).Code)
	})
}

func TestOpenSearchFailing(t *testing.T) {
	o := NewOpenSearch()
	o.SetFailing(http.StatusServiceUnavailable)
	item := []byte("{\"create\":{\"_index\":\"x\",\"_id\":\"a\"}}\n{}\n")
	assert.Equal(t, http.StatusServiceUnavailable, post(t, o, "/_bulk", "", item).Code)
	o.SetFailing(0)
	assert.Equal(t, http.StatusOK, post(t, o, "/_bulk", "", item).Code)
	assert.Equal(t, OpenSearchCounts{Bulks: 1, Documents: 1, Failed: 1}, o.Counts())
}

func TestOpenSearchSetup(t *testing.T) {
	srv := httptest.NewServer(NewOpenSearch())
	defer srv.Close()
	call := func(method, path, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		res, err := srv.Client().Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		var b bytes.Buffer
		_, err = b.ReadFrom(res.Body)
		require.NoError(t, err)
		return res.StatusCode, b.String()
	}
	code, body := call(http.MethodGet, "/", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, `"number":"3.`)

	code, body = call(http.MethodGet, "/_plugins/_ism/policies/dify", "")
	assert.Equal(t, http.StatusBadRequest, code)
	assert.Contains(t, body, "no handler found")
	code, _ = call(http.MethodGet, "/_index_template/dify", "")
	assert.Equal(t, http.StatusNotFound, code)
	code, _ = call(http.MethodPut, "/_index_template/dify", `{"index_patterns":["dify-*"]}`)
	assert.Equal(t, http.StatusOK, code)
	code, body = call(http.MethodGet, "/_index_template/dify", "")
	assert.Equal(t, http.StatusOK, code)
	assert.JSONEq(t, `{"index_templates":[{"name":"dify","index_template":{"index_patterns":["dify-*"]}}]}`, body)
	code, _ = call(http.MethodPut, "/_index_template/dify", `{`)
	assert.Equal(t, http.StatusBadRequest, code)

	code, _ = call(http.MethodPost, "/_bulk", "{\"create\":{\"_index\":\"dify-a\",\"_id\":\"1\"}}\n{\"n\":1}\n")
	assert.Equal(t, http.StatusOK, code)
	_, body = call(http.MethodGet, "/dify-*/_count", "")
	assert.JSONEq(t, `{"count":1}`, body)
	_, body = call(http.MethodGet, "/dify-*/_search", "")
	assert.Contains(t, body, `"_source":{"n":1}`)
	_, body = call(http.MethodGet, "/dify-a/_doc/1", "")
	assert.Contains(t, body, `"found":true`)
}
