// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// failingStorage refuses to write, as a full disk does.
type failingStorage struct {
	storage.Client
	fail atomic.Bool
}

func (s *failingStorage) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if s.fail.Load() {
		return errors.New("no space left on device")
	}
	return s.Client.Batch(ctx, ops...)
}

func newTLSNode(t *testing.T, node *fakeNode) *httptest.Server {
	t.Helper()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(node.serve))
	secure.Config.ErrorLog = nil
	secure.StartTLS()
	t.Cleanup(secure.Close)
	return secure
}

func someItems(t *testing.T, uids ...string) []item {
	t.Helper()
	var docs []string
	for _, uid := range uids {
		docs = append(docs, logDoc(uid, "t"))
	}
	items, err := testRewriter().rewrite(bulk("l", docs...), "")
	require.NoError(t, err)
	return items
}

func TestStoreSurvivesARestart(t *testing.T) {
	host := newTestHost(t)
	e := &bulkExtension{cfg: testConfig(), id: bulkID}
	kept, err := e.openStorage(t.Context(), host)
	require.NoError(t, err)
	require.NoError(t, kept.put(t.Context(), someItems(t, "a", "b")))
	require.NoError(t, kept.put(t.Context(), someItems(t, "c")))
	require.NoError(t, kept.remove(t.Context(), kept.entries()[0]))
	require.NoError(t, kept.close(t.Context()))
	require.NoError(t, kept.close(t.Context()))
	require.ErrorIs(t, kept.put(t.Context(), someItems(t, "d")), errStoreClosed)

	again, err := e.openStorage(t.Context(), host)
	require.NoError(t, err)
	require.Len(t, again.entries(), 1)
	body, err := again.load(t.Context(), again.entries()[0])
	require.NoError(t, err)
	assert.Equal(t, join(someItems(t, "c")), body)
	require.NoError(t, again.put(t.Context(), someItems(t, "e")))
	assert.Equal(t, uint64(2), again.entries()[1].ID, "an id is never used twice")
	require.NoError(t, again.close(t.Context()))
}

func TestStoreRefusesWhatItCantRead(t *testing.T) {
	for name, tt := range map[string]struct{ index, want string }{
		"damaged":       {`{"vers`, "can't be read: restore the storage"},
		"newer version": {`{"version":2}`, "written by another version (format 2, this one reads 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			host := newTestHost(t)
			client, err := host.extensions[storageID].(storage.Extension).GetClient(t.Context(), component.KindExtension, bulkID, "")
			require.NoError(t, err)
			require.NoError(t, client.Set(t.Context(), storeIndex, []byte(tt.index)))
			require.NoError(t, client.Close(t.Context()))
			e := &bulkExtension{cfg: testConfig(), id: bulkID}
			_, err = e.openStorage(t.Context(), host)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestIncompleteEntryStays(t *testing.T) {
	node := newFakeNode(t)
	host := newTestHost(t)
	e := &bulkExtension{cfg: testConfig(), id: bulkID}
	kept, err := e.openStorage(t.Context(), host)
	require.NoError(t, err)
	require.NoError(t, kept.put(t.Context(), someItems(t, "a")))
	require.NoError(t, kept.put(t.Context(), someItems(t, "b")))
	require.NoError(t, kept.client.Set(t.Context(), kept.entries()[0].key(), []byte("{")))
	require.NoError(t, kept.close(t.Context()))

	cfg := testConfig()
	cfg.HTTP.Endpoint = node.URL
	r := start(t, cfg, host)
	require.Eventually(t, func() bool { return len(r.deliverer.store.entries()) == 1 }, testTime, testTick)
	node.once(t, "l"+day+"b")
	require.Eventually(t, func() bool { return r.logs.FilterMessageSnippet("can't be read").Len() == 1 }, testTime, testTick)
}
