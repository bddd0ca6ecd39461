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
	"time"

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
			r := start(t, cfg, newTestHost(t), func(e *bulkExtension) {
				e.deferAfter, e.replayInterval = 20*time.Millisecond, 50*time.Millisecond
			})
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

			blocked.Store(false)
			require.Eventually(t, func() bool { items, _ := r.store.Size(); return items == 0 }, testTime, testTick)
			for i := range 20 {
				want = append(want, fmt.Sprintf("l-new%snew%d", day, i))
			}
			node.once(t, want...)
		})
	}
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
	r := start(t, cfg, newTestHost(t), func(e *bulkExtension) { e.deferAfter = 0 })
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
