// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// newStorage returns a real file storage.
func newStorage(t *testing.T) storage.Extension {
	t.Helper()
	factory := filestorage.NewFactory()
	cfg := factory.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = t.TempDir()
	ext, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return ext.(storage.Extension)
}

func newClient(t *testing.T, from storage.Extension) storage.Client {
	t.Helper()
	client, err := from.GetClient(t.Context(), component.KindExtension, component.MustNewID("opensearch_bulk"), "")
	require.NoError(t, err)
	return client
}

func TestStoreSurvivesARestart(t *testing.T) {
	disk := newStorage(t)
	s, err := Open(t.Context(), newClient(t, disk))
	require.NoError(t, err)
	require.NoError(t, s.Put(t.Context(), []byte("a and b"), 2))
	require.NoError(t, s.Put(t.Context(), []byte("c"), 1))
	require.NoError(t, s.Remove(t.Context(), s.Entries()[0]))
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	require.ErrorIs(t, s.Put(t.Context(), []byte("d"), 1), ErrClosed)
	require.ErrorIs(t, s.Remove(t.Context(), s.Entries()[0]), ErrClosed)

	again, err := Open(t.Context(), newClient(t, disk))
	require.NoError(t, err)
	require.Len(t, again.Entries(), 1)
	body, err := again.Load(t.Context(), again.Entries()[0])
	require.NoError(t, err)
	assert.Equal(t, "c", string(body))
	require.NoError(t, again.Put(t.Context(), []byte("e and f"), 2))
	assert.Equal(t, uint64(2), again.Entries()[1].ID, "an id is never used twice")
	items, bytes := again.Size()
	assert.Equal(t, []int64{3, 8}, []int64{items, bytes})
	require.NoError(t, again.Close(t.Context()))
}

func TestReplaceMergesEntries(t *testing.T) {
	client := newClient(t, newStorage(t))
	s, err := Open(t.Context(), client)
	require.NoError(t, err)
	for _, body := range []string{"a", "b", "c"} {
		require.NoError(t, s.Put(t.Context(), []byte(body), 1))
	}
	require.NoError(t, s.Replace(t.Context(), s.Entries()[:2], []byte("a and b"), 2))
	require.NoError(t, s.Replace(t.Context(), s.Entries()[:1], nil, 0))
	assert.Equal(t, []Entry{{ID: 3, Items: 2, Bytes: 7}}, s.Entries())
	for key, want := range map[string]string{"bulk/0": "", "bulk/1": "", "bulk/2": "", "bulk/3": "a and b"} {
		got, err := client.Get(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, want, string(got), key)
	}
	require.NoError(t, s.Close(t.Context()))
}

func TestOpenRejectsWhatItCantRead(t *testing.T) {
	for name, tt := range map[string]struct{ index, want string }{
		"damaged":       {`{"vers`, "can't be read: restore the storage"},
		"newer version": {`{"version":2}`, "written by another version (format 2, this one reads 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, newStorage(t))
			require.NoError(t, client.Set(t.Context(), indexKey, []byte(tt.index)))
			_, err := Open(t.Context(), client)
			require.ErrorContains(t, err, tt.want)
			require.NoError(t, client.Close(t.Context()))
		})
	}
}

// The names on disk are a format: entries that another version has written must be found.
func TestNamesOnDisk(t *testing.T) {
	client := newClient(t, newStorage(t))
	s, err := Open(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, s.Put(t.Context(), []byte("body"), 3))
	stored, err := client.Get(t.Context(), "index")
	require.NoError(t, err)
	assert.JSONEq(t, `{"version":1,"next":1,"entries":[{"id":0,"items":3,"bytes":4}]}`, string(stored))
	body, err := client.Get(t.Context(), "bulk/0")
	require.NoError(t, err)
	assert.Equal(t, "body", string(body))
	require.NoError(t, s.Close(t.Context()))
}
