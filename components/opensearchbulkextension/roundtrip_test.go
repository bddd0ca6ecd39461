// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulkapi"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulktest"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadatatest"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/store"
)

const (
	day      = "-2026.11.23/"
	testTime = 10 * time.Second
	testTick = time.Millisecond
)

// requireSuccess checks the response as the exporter's client reads it.
func requireSuccess(t *testing.T, code int, response string, documents int) {
	t.Helper()
	require.Equal(t, http.StatusOK, code)
	var parsed opensearchapi.BulkResp
	require.NoError(t, json.Unmarshal([]byte(response), &parsed))
	require.False(t, parsed.Errors)
	require.Len(t, parsed.Items, documents)
	for _, item := range parsed.Items {
		require.Len(t, item, 1)
		require.Equal(t, http.StatusCreated, item["create"].Status)
		require.Nil(t, item["create"].Error)
	}
}

func (r *rig) requireItems(t *testing.T, want map[deliver.Outcome]int64) {
	t.Helper()
	var points []metricdata.DataPoint[int64]
	for what := range outcomeOptions { // each is counted from zero
		points = append(
			points,
			metricdata.DataPoint[int64]{
				Attributes: attribute.NewSet(attribute.String("outcome", string(what))),
				Value:      want[what],
			},
		)
	}
	metadatatest.AssertEqualOpensearchBulkItems(
		t,
		r.tel,
		points,
		metricdatatest.IgnoreTimestamp(),
		metricdatatest.IgnoreExemplars(),
	)
}

// waitBlocked waits until this many requests are blocked.
func (r *rig) waitBlocked(t *testing.T, requests int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		blocked, err := r.tel.GetMetric("otelcol_opensearch_bulk_blocked_requests")
		return err == nil && blocked.Data.(metricdata.Sum[int64]).DataPoints[0].Value == requests
	}, testTime, testTick)
}

func TestEveryFaultInSequence(t *testing.T) {
	half := func(i int) bool { return i%2 == 0 }
	clusterBlock := `{"error":{"type":"cluster_block_exception","reason":"blocked"},"status":403}`
	node := newFakeNode(t,
		reset(false),
		reset(true), // accepted, then dies before it responds
		status(http.StatusUnauthorized, "Unauthorized"),
		status(http.StatusForbidden, clusterBlock),
		status(http.StatusNotFound, "no such backend"),
		status(http.StatusRequestTimeout, ""),
		status(http.StatusTooManyRequests, `{"error":{"type":"circuit_breaking_exception","reason":"x"},"status":429}`),
		status(http.StatusTooManyRequests, "", "Retry-After", "0"),
		status(http.StatusInternalServerError, "{}"),
		status(http.StatusBadGateway, "<html>"),
		status(http.StatusServiceUnavailable, "", "Retry-After", time.Now().UTC().Format(http.TimeFormat)),
		status(http.StatusGatewayTimeout, ""),
		status(http.StatusFound, "", "Location", "/login"),
		status(http.StatusBadRequest, "The plain HTTP request was sent to HTTPS port"),
		status(http.StatusOK, "<html>hello</html>"),
		status(http.StatusOK, `{"took":1,"errors":false,"items":[]}`),
		status(http.StatusOK, `{"took":1,"errors":true,"items":[{},{},{},{}]}`),
		status(http.StatusOK, ""),
		some(http.StatusTooManyRequests, "rejected_execution_exception", half),
		some(http.StatusForbidden, "cluster_block_exception", half),
		some(http.StatusServiceUnavailable, "unavailable_shards_exception", half),
	)
	r := start(t, testConfig(), newTestHost(t))
	faults := len(node.faults)
	code, response, err := post(
		t.Context(),
		r.client(t),
		node.URL,
		bulktest.Body(
			"workflow-logs-{dify.tenant_id}",
			bulktest.LogDoc("a", "t1"),
			bulktest.LogDoc("b", "t2"),
			bulktest.LogDoc("c", "t1"),
			bulktest.LogDoc("d", "t2"),
		),
	)
	require.NoError(t, err)
	requireSuccess(t, code, response, 4)
	require.Eventually(t, func() bool { return len(r.store.Entries()) == 0 }, testTime, testTick)
	assert.Greater(t, node.requests(), faults-1)
	assert.Empty(t, node.faults)
	node.once(
		t,
		"workflow-logs-t1"+day+"a",
		"workflow-logs-t2"+day+"b",
		"workflow-logs-t1"+day+"c",
		"workflow-logs-t2"+day+"d",
	)
	// The node that died had stored them; the index of one was blocked.
	r.requireItems(t, map[deliver.Outcome]int64{deliver.OutcomeDuplicate: 4, deliver.OutcomeDeferred: 1})

	assert.Equal(t, 1, r.logs.FilterMessageSnippet("requests are retried").Len(), "one line when blocking begins")
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("accepts documents again").Len(), "one line when it ends")
	assert.Equal(
		t,
		[]componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK},
		r.host.reported(),
	)
	metadatatest.AssertEqualOpensearchBulkBlockedRequests(
		t,
		r.tel,
		[]metricdata.DataPoint[int64]{{Value: 0}},
		metricdatatest.IgnoreTimestamp(),
	)
}

func TestRefusedConnection(t *testing.T) {
	node := newFakeNode(t)
	r := start(t, testConfig(), newTestHost(t))
	refusing := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		if r.logs.FilterMessageSnippet("requests are retried").Len() == 0 {
			return nil, errors.New("dial tcp 127.0.0.1:9200: connect: connection refused")
		}
		return http.DefaultTransport.RoundTrip(req)
	})
	code, response, err := post(
		t.Context(),
		&http.Client{Transport: r.wrap(t, refusing)},
		node.URL,
		bulktest.Body("l", bulktest.LogDoc("a", "t")),
	)
	require.NoError(t, err)
	requireSuccess(t, code, response, 1)
	blocked := r.logs.FilterMessageSnippet("requests are retried").All()
	require.Len(t, blocked, 1)
	assert.Equal(t, "unreachable", blocked[0].ContextMap()["reason"])
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestTLSFailureIsRetried(t *testing.T) {
	node := newFakeNode(t)
	secure := newTLSNode(t, node)
	r := start(t, testConfig(), newTestHost(t))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	client := r.client(t)
	go func() {
		_, _, err := post(ctx, client, secure.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
		done <- err
	}()
	require.Eventually(
		t,
		func() bool { return r.logs.FilterMessageSnippet("requests are retried").Len() == 1 },
		testTime,
		testTick,
	)
	assert.Contains(
		t,
		r.logs.FilterMessageSnippet("requests are retried").All()[0].ContextMap()["failure"],
		"certificate",
	)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	assert.Zero(t, r.store.Entries(), "the caller went away and knows that it was not accepted")
}

func TestHungServer(t *testing.T) {
	node := newFakeNode(t, reset(false), hang)
	cfg := testConfig()
	cfg.AttemptTimeout = 50 * time.Millisecond
	r := start(t, cfg, newTestHost(t))
	code, response, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	requireSuccess(t, code, response, 1)
	node.once(t, "l"+day+"a")
	assert.Equal(t, "timeout", r.logs.FilterMessageSnippet("requests are retried").All()[0].ContextMap()["reason"])
}

func TestDeadlineStoresInsteadOfLosing(t *testing.T) {
	node := newFakeNode(t, hang)
	r := start(t, testConfig(), newTestHost(t))
	client := r.client(t)
	client.Timeout = 100 * time.Millisecond // an `http::timeout` that an operator set
	code, response, err := post(t.Context(), client, node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	requireSuccess(t, code, response, 1)
	require.Len(t, r.store.Entries(), 1)
	r.requireItems(t, map[deliver.Outcome]int64{deliver.OutcomeStored: 1})
}

func TestEncodings(t *testing.T) {
	for _, encoding := range []string{"", bulkapi.EncodingIdentity, bulkapi.EncodingGzip, bulkapi.EncodingZstd} {
		t.Run(encoding, func(t *testing.T) {
			seen := ""
			node := newFakeNode(t, func(_ *fakeNode, _ http.ResponseWriter, r *http.Request, _ []byte) bool {
				seen = r.Header.Get("Content-Encoding")
				return false
			})
			body, err := bulkapi.Encode(encoding, bulktest.Body("l", bulktest.LogDoc("a", "t")))
			require.NoError(t, err)
			r := start(t, testConfig(), newTestHost(t))
			code, response, err := post(t.Context(), r.client(t), node.URL, body, "Content-Encoding", encoding)
			require.NoError(t, err)
			requireSuccess(t, code, response, 1)
			node.once(t, "l"+day+"a")
			assert.Equal(t, encoding, seen)
		})
	}
	t.Run("snappy", func(t *testing.T) {
		r := start(t, testConfig(), newTestHost(t))
		_, _, err := post(
			t.Context(),
			r.client(t),
			"http://127.0.0.1:1",
			bulktest.Body("l", bulktest.LogDoc("a", "t")),
			"Content-Encoding",
			"snappy",
		)
		require.ErrorContains(t, err, "set the exporter's `http::compression` to `gzip`, `zstd` or `none`")
	})
}

func TestOtherRequestsPass(t *testing.T) {
	node := newFakeNode(t)
	node.other = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }
	r := start(t, testConfig(), newTestHost(t))
	resp, err := r.client(t).Get(node.URL + "/_cluster/health")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusTeapot, resp.StatusCode)
}

func TestRejectedDocumentsBecomeDeadLetters(t *testing.T) {
	node := newFakeNode(t)
	node.judge = func(index, id, _ string) (int, string) {
		if strings.HasPrefix(index, "l-") && (id == "b" || id == "d") {
			return http.StatusBadRequest, "mapper_parsing_exception"
		}
		return 0, ""
	}
	r := start(t, testConfig(), newTestHost(t))
	for range 2 { // the same batch comes twice
		code, response, err := post(
			t.Context(),
			r.client(t),
			node.URL,
			bulktest.Body(
				"l",
				bulktest.LogDoc("a", "t"),
				bulktest.LogDoc("b", "t"),
				bulktest.LogDoc("c", "t"),
				bulktest.LogDoc("d", "secret"),
			),
		)
		require.NoError(t, err)
		requireSuccess(t, code, response, 4)
	}
	const deadLetters = "otelcol-dify-dead-letter/"
	node.once(t, "l"+day+"a", "l"+day+"c", deadLetters+"l"+day+"b", deadLetters+"l"+day+"d")
	var dead struct {
		Timestamp time.Time `json:"@timestamp"`
		Status    int       `json:"status"`
		Type      string    `json:"type"`
		Reason    string    `json:"reason"`
		Index     string    `json:"index"`
		ID        string    `json:"id"`
		Document  string    `json:"document"`
	}
	require.NoError(t, json.Unmarshal([]byte(node.doc(t, "otelcol-dify-dead-letter", "l"+day+"d")), &dead))
	assert.Equal(t, bulktest.LogDoc("d", "secret"), dead.Document)
	assert.Equal(t, "l-2026.11.23", dead.Index)
	assert.Equal(t, "d", dead.ID)
	assert.Equal(t, http.StatusBadRequest, dead.Status)
	assert.Equal(t, "mapper_parsing_exception", dead.Type)
	assert.Contains(t, dead.Reason, "because of")
	assert.WithinDuration(t, time.Now(), dead.Timestamp, time.Minute)
	r.requireItems(
		t,
		map[deliver.Outcome]int64{deliver.OutcomeDelivered: 2, deliver.OutcomeDuplicate: 2, deliver.OutcomeDeadLetter: 4},
	)
	assertNoContent(t, r)
}

// assertNoContent searches everything that was logged for the text that test documents carry.
func assertNoContent(t *testing.T, r *rig) {
	t.Helper()
	for _, entry := range r.logs.All() {
		line := entry.Message + fmt.Sprint(entry.ContextMap())
		assert.NotContains(t, line, "secret")
		assert.NotContains(t, line, "because of")
	}
}

func TestDeadLettersThatAreRejectedTooAreStored(t *testing.T) {
	node := newFakeNode(t)
	node.judge = func(string, string, string) (int, string) { return http.StatusBadRequest, "mapper_parsing_exception" }
	host := newTestHost(t)
	r := start(t, testConfig(), host)
	code, response, err := post(
		t.Context(),
		r.client(t),
		node.URL,
		bulktest.Body("l", bulktest.LogDoc("a", "t"), bulktest.LogDoc("b", "t")),
	)
	require.NoError(t, err)
	requireSuccess(t, code, response, 2)
	r.requireItems(t, map[deliver.Outcome]int64{deliver.OutcomeDeadLetterStored: 2})
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("The dead-letter index rejected").Len())
	require.Len(t, r.store.Entries(), 1)
	require.NoError(t, r.Shutdown(t.Context()))

	// After the next start the dead-letter index accepts them.
	node.mu.Lock()
	node.judge = nil
	node.mu.Unlock()
	cfg := testConfig()
	cfg.HTTP.Endpoint = node.URL
	next := start(t, cfg, host)
	require.Eventually(t, func() bool { return len(next.store.Entries()) == 0 }, testTime, testTick)
	node.once(t, "otelcol-dify-dead-letter/l"+day+"a", "otelcol-dify-dead-letter/l"+day+"b")
}

// One document at fault must not block the others when nobody may write into the dead-letter index either.
func TestForbiddenDeadLetterIsStoredAndTriedAgain(t *testing.T) {
	node := newFakeNode(t)
	node.judge = func(index, id, _ string) (int, string) {
		switch {
		case index == "otelcol-dify-dead-letter":
			return http.StatusForbidden, "security_exception"
		case id == "bad":
			return http.StatusBadRequest, "mapper_parsing_exception"
		default:
			return 0, ""
		}
	}
	r := start(t, testConfig(), newTestHost(t), func(e *bulkExtension) { e.replayInterval = time.Millisecond })
	code, response, err := post(
		t.Context(),
		r.client(t),
		node.URL,
		bulktest.Body("l", bulktest.LogDoc("good", "t"), bulktest.LogDoc("bad", "t")),
	)
	require.NoError(t, err)
	requireSuccess(t, code, response, 2)
	before := node.requests()
	require.Eventually(
		t,
		func() bool { return node.requests() > before+3 },
		testTime,
		testTick,
		"it is tried again and again",
	)
	r.requireItems(t, map[deliver.Outcome]int64{deliver.OutcomeDelivered: 1, deliver.OutcomeDeadLetterStored: 1})
	assert.Zero(t, r.logs.FilterMessageSnippet("requests are retried").Len())

	node.mu.Lock()
	node.judge = nil
	node.mu.Unlock()
	require.Eventually(t, func() bool { return len(r.store.Entries()) == 0 }, testTime, testTick)
	node.once(t, "l"+day+"good", "otelcol-dify-dead-letter/l"+day+"bad")
	r.requireItems(
		t,
		map[deliver.Outcome]int64{
			deliver.OutcomeDelivered:        1,
			deliver.OutcomeDeadLetterStored: 1,
			deliver.OutcomeDeadLetter:       1,
		},
	)
}

// Without a client of its own the extension goes the exporter's way, with the login of now and not of the first
// request.
func TestReplayUsesTheLatestLogin(t *testing.T) {
	node := newFakeNode(t)
	for range 100_000 {
		node.faults = append(node.faults, func(_ *fakeNode, w http.ResponseWriter, r *http.Request, body []byte) bool {
			if !bytes.Contains(body, []byte(`"otelcol-dify-dead-letter"`)) || r.Header.Get("Authorization") == "new" {
				return false
			}
			_, _ = io.WriteString(
				w,
				`{"errors":true,"items":[{"create":{"status":403,"error":{"type":"security_exception"}}}]}`,
			)
			return true
		})
	}
	node.judge = func(_, id, _ string) (int, string) {
		if id == "bad" {
			return http.StatusBadRequest, "mapper_parsing_exception"
		}
		return 0, ""
	}
	r := start(t, testConfig(), newTestHost(t), func(e *bulkExtension) { e.replayInterval = time.Millisecond })
	client := r.client(t)
	_, _, err := post(
		t.Context(),
		client,
		node.URL,
		bulktest.Body("l", bulktest.LogDoc("bad", "t")),
		"Authorization",
		"old",
	)
	require.NoError(t, err)
	require.NotEmpty(t, r.store.Entries())
	_, _, err = post(
		t.Context(),
		client,
		node.URL,
		bulktest.Body("l", bulktest.LogDoc("good", "t")),
		"Authorization",
		"new",
	)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(r.store.Entries()) == 0 }, testTime, testTick)
	node.once(t, "l"+day+"good", "otelcol-dify-dead-letter/l"+day+"bad")
}

func TestTooLargeIsSplit(t *testing.T) {
	docs := make([]string, 20)
	want := make([]string, 20)
	for i := range docs {
		docs[i] = bulktest.LogDoc(strconv.Itoa(i), "t")
		want[i] = "l" + day + strconv.Itoa(i)
	}
	docs[7] = strings.Replace(bulktest.LogDoc("7", "t"), `"body":"`, `"body":"`+strings.Repeat("x", 3000), 1)
	want[7] = "otelcol-dify-dead-letter/l" + day + "7"
	limit := len(docs[0]) * 4
	node := newFakeNode(t)
	for range 100 {
		node.faults = append(node.faults, func(n *fakeNode, w http.ResponseWriter, r *http.Request, body []byte) bool {
			if bytes.Contains(body, []byte("dead-letter")) {
				return false
			}
			return tooLarge(limit)(n, w, r, body)
		})
	}
	r := start(t, testConfig(), newTestHost(t))
	code, response, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", docs...))
	require.NoError(t, err)
	requireSuccess(t, code, response, 20)
	node.once(t, want...)
	assert.Zero(t, r.logs.FilterMessageSnippet("requests are retried").Len())
}

func TestBadRequestIsSplitUntilTheCulpritIsAlone(t *testing.T) {
	docs := make([]string, 9)
	var want []string
	for i := range docs {
		docs[i] = bulktest.LogDoc(strconv.Itoa(i), "t")
		if i != 4 {
			want = append(want, "l"+day+strconv.Itoa(i))
		}
	}
	want = append(want, "otelcol-dify-dead-letter/l"+day+"4")
	node := newFakeNode(t)
	for range 50 {
		node.faults = append(node.faults, func(_ *fakeNode, w http.ResponseWriter, _ *http.Request, body []byte) bool {
			if !bytes.Contains(body, []byte(`"_index":"l-2026.11.23","_id":"4"`)) {
				return false
			}
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(
				w,
				`{"error":{"type":"action_request_validation_exception","reason":"Validation Failed"},"status":400}`,
			)
			return true
		})
	}
	r := start(t, testConfig(), newTestHost(t))
	code, response, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", docs...))
	require.NoError(t, err)
	requireSuccess(t, code, response, 9)
	node.once(t, want...)
}

func TestReleaseStoresAndNextStartDelivers(t *testing.T) {
	for name, ownClient := range map[string]bool{"own client": true, "the exporter's way": false} {
		t.Run(name, func(t *testing.T) {
			node := newFakeNode(t)
			down := true
			var mu sync.Mutex
			for range 100000 {
				node.faults = append(node.faults, func(_ *fakeNode, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
					mu.Lock()
					defer mu.Unlock()
					if down {
						w.WriteHeader(http.StatusServiceUnavailable)
					}
					return down
				})
			}
			host := newHostWithStorage(t, t.TempDir())
			r := start(t, testConfig(), host)
			const requests = 5
			results := make(chan error, requests)
			for i := range requests {
				client := r.client(t)
				go func() {
					code, _, err := post(
						t.Context(),
						client,
						node.URL,
						bulktest.Body("l", bulktest.LogDoc(strconv.Itoa(i), "t")),
						"Authorization",
						"Basic secret",
					)
					if err == nil && code != http.StatusOK {
						err = fmt.Errorf("status %d", code)
					}
					results <- err
				}()
			}
			r.waitBlocked(t, requests)

			stopping := time.Now()
			require.NoError(t, r.NotReady())
			for range requests {
				require.NoError(t, <-results)
			}
			// One that comes later still is tried once, then stored.
			code, response, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("late", "t")))
			require.NoError(t, err)
			requireSuccess(t, code, response, 1)
			require.NoError(t, r.Shutdown(t.Context()))
			assert.Less(t, time.Since(stopping), 5*time.Second)
			r.requireStored(t, host, requests+1)

			mu.Lock()
			down = false
			mu.Unlock()
			cfg := testConfig()
			if ownClient {
				cfg.HTTP.Endpoint = node.URL
			}
			next := start(t, cfg, host)
			want := []string{"l" + day + "late"}
			for i := range requests {
				want = append(want, "l"+day+strconv.Itoa(i))
			}
			if !ownClient {
				code, _, err := post(t.Context(), next.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("new", "t")))
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, code)
				want = append(want, "l"+day+"new")
			}
			require.Eventually(t, func() bool { return len(next.store.Entries()) == 0 }, testTime, testTick)
			node.once(t, want...)
		})
	}
}

// requireStored looks into the storage as the next start would, and for what must never be in it.
func (r *rig) requireStored(t *testing.T, host *testHost, items int64) {
	t.Helper()
	stored, err := r.openStorage(t.Context(), host)
	require.NoError(t, err)
	got, _ := stored.Size()
	assert.Equal(t, items, got)
	for _, entry := range stored.Entries() {
		body, err := stored.Load(t.Context(), entry)
		require.NoError(t, err)
		assert.NotContains(t, string(body), "Basic")
	}
	require.NoError(t, stored.Close(t.Context()))
}

func TestReleaseCutsAHungAttempt(t *testing.T) {
	node := newFakeNode(t, hang)
	r := start(t, testConfig(), newTestHost(t))
	client := r.client(t)
	done := make(chan error, 1)
	go func() {
		_, _, err := post(t.Context(), client, node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
		done <- err
	}()
	require.Eventually(t, func() bool { return node.requests() == 1 }, testTime, testTick)
	stopping := time.Now()
	require.NoError(t, r.NotReady())
	require.NoError(t, <-done)
	assert.Less(t, time.Since(stopping), 5*time.Second)
	assert.Len(t, r.store.Entries(), 1)
}

// A batch reaches the extension as many requests, one after the other: they share one grace.
func TestRequestsThatComeLateAreStoredAtOnce(t *testing.T) {
	node := newFakeNode(t, hang)
	r := start(t, testConfig(), newTestHost(t))
	client := r.client(t)
	require.NoError(t, r.NotReady())
	stopping := time.Now()
	for i := range 20 {
		code, response, err := post(t.Context(), client, node.URL, bulktest.Body("l", bulktest.LogDoc(strconv.Itoa(i), "t")))
		require.NoError(t, err)
		requireSuccess(t, code, response, 1)
	}
	assert.Less(t, time.Since(stopping), 5*time.Second)
	assert.Equal(t, 1, node.requests())
	assert.Len(t, r.store.Entries(), 20)
	assert.Zero(t, node.count())
}

func TestReleaseWaitsForAResponse(t *testing.T) {
	node := newFakeNode(t)
	var r *rig
	node.faults = []fault{func(*fakeNode, http.ResponseWriter, *http.Request, []byte) bool {
		assert.NoError(t, r.NotReady())
		return false
	}}
	r = start(t, testConfig(), newTestHost(t))
	_, _, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	assert.Empty(t, r.store.Entries())
	node.once(t, "l"+day+"a")
}

func TestFullDiskKeepsTheRequestOpen(t *testing.T) {
	node := newFakeNode(t, hang)
	host := newTestHost(t)
	full := &failingStorage{Extension: host.extensions[storageID].(storage.Extension)}
	host.extensions[storageID] = full
	r := start(t, testConfig(), host)
	full.fail.Store(true)
	client := r.client(t)
	done := make(chan error, 1)
	go func() {
		_, _, err := post(t.Context(), client, node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
		done <- err
	}()
	require.Eventually(t, func() bool { return node.requests() == 1 }, testTime, testTick)
	require.NoError(t, r.NotReady())
	require.Eventually(
		t,
		func() bool { return r.logs.FilterMessageSnippet("can't be stored").Len() == 1 },
		testTime,
		testTick,
	)
	require.Empty(t, done)
	full.fail.Store(false)
	require.NoError(t, <-done)
	assert.Len(t, r.store.Entries(), 1)
}

// failingStorage rejects writes, as a full disk does.
type failingStorage struct {
	storage.Extension
	fail atomic.Bool
}

func (s *failingStorage) GetClient(
	ctx context.Context, kind component.Kind, id component.ID, name string,
) (storage.Client, error) {
	client, err := s.Extension.GetClient(ctx, kind, id, name)
	return &failingClient{client, &s.fail}, err
}

type failingClient struct {
	storage.Client
	fail *atomic.Bool
}

func (c *failingClient) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if c.fail.Load() {
		return errors.New("no space left on device")
	}
	return c.Client.Batch(ctx, ops...)
}

func TestIncompleteEntryStays(t *testing.T) {
	node := newFakeNode(t)
	host := newTestHost(t)
	client, err := host.extensions[storageID].(storage.Extension).GetClient(
		t.Context(),
		component.KindExtension,
		bulkID,
		"",
	)
	require.NoError(t, err)
	stored, err := store.Open(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, stored.Put(t.Context(), storedBody(t, "a"), 1))
	require.NoError(t, stored.Put(t.Context(), storedBody(t, "b"), 1))
	require.NoError(t, client.Set(t.Context(), "bulk/0", []byte("{")))
	require.NoError(t, stored.Close(t.Context()))

	cfg := testConfig()
	cfg.HTTP.Endpoint = node.URL
	r := start(t, cfg, host)
	require.Eventually(t, func() bool { return len(r.store.Entries()) == 1 }, testTime, testTick)
	node.once(t, "l"+day+"b")
	require.Eventually(
		t,
		func() bool { return r.logs.FilterMessageSnippet("can't be read").Len() == 1 },
		testTime,
		testTick,
	)
}

// storedBody is a document as storage keeps it.
func storedBody(t *testing.T, uid string) []byte {
	t.Helper()
	items, err := bulkapi.NewRewriter(nil, 24*time.Hour, bulkapi.FormatSS4O).
		Rewrite(bulktest.Body("l", bulktest.LogDoc(uid, "t")), "")
	require.NoError(t, err)
	return bulkapi.Join(items)
}

func newTLSNode(t *testing.T, node *fakeNode) *httptest.Server {
	t.Helper()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(node.serve))
	secure.Config.ErrorLog = nil
	secure.StartTLS()
	t.Cleanup(secure.Close)
	return secure
}

// TestEachDocumentOnce sends many requests at once through random faults.
func TestEachDocumentOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kinds := []fault{
		reset(false), reset(true),
		status(
			http.StatusUnauthorized,
			"Unauthorized",
		), status(http.StatusTooManyRequests, ""), status(http.StatusServiceUnavailable, ""),
		status(http.StatusOK, "junk"), tooLarge(1500), tooLarge(700),
		some(http.StatusTooManyRequests, "rejected_execution_exception", func(i int) bool { return i%3 == 0 }),
		some(http.StatusInternalServerError, "x", func(i int) bool { return i > 2 }),
		nil, nil,
	}
	for round := range 20 {
		node := newFakeNode(t)
		for range random.IntN(60) {
			node.faults = append(node.faults, kinds[random.IntN(len(kinds))])
		}
		host := newTestHost(t)
		r := start(t, testConfig(), host)
		var want []string
		var group sync.WaitGroup
		stopAt := random.IntN(12)
		for i := range 6 {
			var docs []string
			for j := range 1 + random.IntN(10) {
				tenant := fmt.Sprintf("t%d", random.IntN(3))
				id := fmt.Sprintf("%d-%d-%d", round, i, j)
				if random.IntN(2) == 0 {
					docs = append(docs, bulktest.LogDoc(id, tenant))
					want = append(want, "x-"+tenant+day+id)
				} else {
					docs = append(docs, bulktest.SpanDoc("trace", id, "2026-11-23T00:00:00Z"))
					want = append(want, "x-unknown"+day+"trace-"+id)
				}
			}
			client := r.client(t)
			group.Go(func() {
				code, _, err := post(t.Context(), client, node.URL, bulktest.Body("x-{dify.tenant_id}", docs...))
				assert.Equal(t, http.StatusOK, code, err)
			})
			if i == stopAt {
				require.NoError(t, r.NotReady())
			}
		}
		group.Wait()
		require.NoError(t, r.Shutdown(t.Context()))

		cfg := testConfig()
		cfg.HTTP.Endpoint = node.URL
		next := start(t, cfg, host)
		require.Eventually(t, func() bool { return len(next.store.Entries()) == 0 }, 20*time.Second, time.Millisecond)
		require.NoError(t, next.Shutdown(t.Context()))
		node.once(t, want...)
	}
}

func TestBlockingIsLoggedWithAdvice(t *testing.T) {
	node := newFakeNode(t)
	for range 2 {
		node.faults = append(node.faults, status(http.StatusUnauthorized, "Unauthorized"))
	}
	r := start(t, testConfig(), newTestHost(t))
	_, _, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	blocked := r.logs.FilterMessageSnippet("requests are retried").All()
	require.Len(t, blocked, 1)
	assert.Equal(t, map[string]any{
		"reason": "refused", "failure": "status 401", "advice": deliver.AdviceOnStatus(http.StatusUnauthorized, ""),
	}, blocked[0].ContextMap())
}
