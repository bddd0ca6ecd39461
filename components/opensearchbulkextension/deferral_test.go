// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulktest"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/deliver"
)

// An index that can't be created holds up neither the documents of its own requests nor those of others.
func TestDocumentsThatWaitForAnIndexDoNotHoldUpOthers(t *testing.T) {
	for name, failure := range map[string]struct {
		status int
		kind   string
	}{
		"no shards":       {http.StatusBadRequest, "validation_exception"},
		"blocked":         {http.StatusForbidden, "cluster_block_exception"},
		"no active shard": {http.StatusServiceUnavailable, "unavailable_shards_exception"},
	} {
		t.Run(name, func(t *testing.T) {
			var blocked atomic.Bool
			blocked.Store(true)
			node := newFakeNode(t)
			node.judge = func(index, _, _ string) (int, string) {
				if blocked.Load() && strings.Contains(index, "-new-") {
					return failure.status, failure.kind
				}
				return 0, ""
			}
			cfg := testConfig()
			cfg.HTTP.Endpoint = node.URL
			r := start(t, cfg, newTestHost(t))
			var want []string
			var group sync.WaitGroup
			for i := range 20 { // more than there are consumers
				docs := []string{bulktest.LogDoc(fmt.Sprintf("new%d", i), "new")}
				if i%2 == 0 {
					docs = append(docs, bulktest.LogDoc(fmt.Sprintf("ok%d", i), "ok"))
					want = append(want, fmt.Sprintf("l-ok%sok%d", day, i))
				}
				client := r.client(t)
				group.Go(func() {
					code, response, err := post(t.Context(), client, node.URL, bulktest.Body("l-{dify.tenant_id}", docs...))
					assert.NoError(t, err) //nolint:testifylint // require is not for other goroutines
					assert.Equal(t, http.StatusOK, code, response)
				})
			}
			group.Wait()
			node.once(t, want...)
			items, _ := r.store.Size()
			assert.EqualValues(t, 20, items)
			require.Eventually(t, func() bool { return len(r.store.Entries()) == 1 }, testTime, testTick, "they are merged")

			blocked.Store(false)
			require.Eventually(t, func() bool { items, _ := r.store.Size(); return items == 0 }, testTime, testTick)
			for i := range 20 {
				want = append(want, fmt.Sprintf("l-new%snew%d", day, i))
			}
			node.once(t, want...)
			r.requireItems(t, map[deliver.Outcome]int64{deliver.OutcomeDeferred: 20, deliver.OutcomeDelivered: 30})
			assert.Equal(t, 1, r.logs.FilterMessageSnippet("wait for an index").Len(), "at most one line per minute")
		})
	}
}

// Documents of one request wait for their own index only, and what is delivered is not sent again.
func TestEachIndexIsWaitedForAlone(t *testing.T) {
	node := newFakeNode(t)
	blocked := map[string]bool{"l-a-2026.11.23": true, "l-b-2026.11.23": true}
	node.judge = func(index, _, _ string) (int, string) {
		if blocked[index] {
			return http.StatusForbidden, "cluster_block_exception"
		}
		return 0, ""
	}
	unblock := func(index string) {
		node.mu.Lock()
		defer node.mu.Unlock()
		delete(blocked, index)
	}
	host := newTestHost(t)
	r := start(t, testConfig(), host)
	code, response, err := post(t.Context(), r.client(t), node.URL,
		bulktest.Body("l-{dify.tenant_id}", bulktest.LogDoc("1", "a"), bulktest.LogDoc("2", "b"), bulktest.LogDoc("3", "b")))
	require.NoError(t, err)
	requireSuccess(t, code, response, 3)
	unblock("l-a-2026.11.23")
	require.Eventually(t, func() bool { items, _ := r.store.Size(); return items == 2 }, testTime, testTick)
	r.requireItems(t, map[deliver.Outcome]int64{deliver.OutcomeDeferred: 3, deliver.OutcomeDelivered: 1})
	require.NoError(t, r.Shutdown(t.Context()))

	// After a restart they wait as before.
	cfg := testConfig()
	cfg.HTTP.Endpoint = node.URL
	next := start(t, cfg, host)
	before := node.requests()
	require.Eventually(t, func() bool { return node.requests() > before+3 }, testTime, testTick)
	unblock("l-b-2026.11.23")
	require.Eventually(t, func() bool { items, _ := next.store.Size(); return items == 0 }, testTime, testTick)
	next.requireItems(t, map[deliver.Outcome]int64{deliver.OutcomeDelivered: 2})
	node.once(t, "l-a"+day+"1", "l-b"+day+"2", "l-b"+day+"3")
}

// Without room for more, the documents hold up their own request: its queue is where they are safe.
func TestNothingIsDeferredWithoutRoom(t *testing.T) {
	node := newFakeNode(t)
	var attempts atomic.Int64
	node.judge = func(string, string, string) (int, string) {
		if attempts.Add(1) < 20 {
			return http.StatusBadRequest, "validation_exception"
		}
		return 0, ""
	}
	cfg := testConfig()
	cfg.MaxDeferredSize = 10
	r := start(t, cfg, newTestHost(t))
	code, response, err := post(t.Context(), r.client(t), node.URL, bulktest.Body("l", bulktest.LogDoc("a", "t")))
	require.NoError(t, err)
	requireSuccess(t, code, response, 1)
	node.once(t, "l"+day+"a")
	r.requireItems(t, map[deliver.Outcome]int64{deliver.OutcomeDelivered: 1})
}

func TestDocumentsAndDeadLettersHaveALargestSize(t *testing.T) {
	node := newFakeNode(t)
	cfg := testConfig()
	cfg.MaxDocumentSize, cfg.MaxDeadLetterSize = 5000, 2001
	r := start(t, cfg, newTestHost(t))
	large := strings.Replace(bulktest.LogDoc("b", "t"), `"body":"`, `"body":"`+strings.Repeat("é", 3000), 1)
	for range 2 {
		code, response, err := post(t.Context(), r.client(t), node.URL,
			bulktest.Body("l", bulktest.LogDoc("a", "t"), large, bulktest.LogDoc("c", "t")))
		require.NoError(t, err)
		requireSuccess(t, code, response, 3)
	}
	node.once(t, "l"+day+"a", "l"+day+"c", "otelcol-dify-dead-letter/l"+day+"b")
	var dead struct {
		Status   int
		Type     string
		Document string
		Size     int
	}
	require.NoError(t, json.Unmarshal([]byte(node.doc(t, "otelcol-dify-dead-letter", "l"+day+"b")), &dead))
	assert.Equal(t, http.StatusRequestEntityTooLarge, dead.Status)
	assert.Equal(t, "too_large", dead.Type)
	assert.Equal(t, len(large), dead.Size)
	assert.True(t, strings.HasPrefix(large, dead.Document))
	assert.InDelta(t, 2000, len(dead.Document), 2)
}
